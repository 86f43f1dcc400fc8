namespace Troupe.Model.Checkpoints;

/// <summary>How the weights of a checkpoint are stored beside bf16, f16 and f32.</summary>
public enum QuantizedForm
{
    /// <summary>Not otherwise.</summary>
    None,

    /// <summary>fp8 e4m3 with a scale for each block of 128 x 128 (DeepSeek-V3).</summary>
    Fp8,

    /// <summary>Experts as 4-bit floats in groups of 32 with a power of two as scale (OCP microscaling formats, 2023).</summary>
    Mxfp4,
}

/// <summary>quantization_config: what is known is taken from the tensors themselves, and all else is refused.</summary>
internal static class QuantizationRules
{
    /// <summary>The form that config.json names.</summary>
    public static QuantizedForm Read(ConfigReader reader)
    {
        if (reader.Inner("quantization_config") is not { } config) return QuantizedForm.None;
        throw config.Error("quant_method", "is set; only weights stored as bf16, f16 or f32 are supported");
    }
}
