namespace Troupe.Model.Checkpoints;

/// <summary>How the weights of a checkpoint are stored beside bf16, f16 and f32.</summary>
public enum QuantizedForm
{
    /// <summary>Not otherwise.</summary>
    None,

    /// <summary>Matrices as fp8 e4m3 with a scale for each block of 128 x 128 (DeepSeek-V3, 2024).</summary>
    Fp8,

    /// <summary>Experts as 4-bit floats in groups of 32 with a power of two as scale (OCP microscaling formats, 2023).</summary>
    Mxfp4,
}

/// <summary>
/// quantization_config. Which tensors are stored so is seen by the tensors themselves; the numbers that activations are rounded to in some
/// runtimes are of no matter here, where they stay fp32.
/// </summary>
internal static class QuantizationRules
{
    private const int Block = 128;

    /// <summary>The form that config.json names; anything not known is refused.</summary>
    public static QuantizedForm Read(ConfigReader reader)
    {
        if (reader.Inner("quantization_config") is not { } config) return QuantizedForm.None;
        switch (config.Text("quant_method"))
        {
            case "mxfp4":
                return QuantizedForm.Mxfp4;
            case "fp8":
                if (config.Text("fmt") is { } format && format != "e4m3") throw config.Error("fmt", $"is {format}; only e4m3 is supported");
                int[] block = config.Ints(1, 1 << 20, single: false, "weight_block_size");
                if (!block.SequenceEqual([Block, Block]))
                    throw config.Error("weight_block_size", $"must be [{Block}, {Block}], got [{string.Join(", ", block)}]");
                return QuantizedForm.Fp8;
            case { } method:
                throw config.Error("quant_method", $"is {method}; known: fp8, mxfp4");
            default:
                throw config.Error("quant_method", "is missing; known: fp8, mxfp4");
        }
    }
}
