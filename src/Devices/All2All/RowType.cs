namespace Troupe.Devices.All2All;

/// <summary>How a value of a row travels to its experts. Partial sums come back as fp32 for fp32 rows, as bf16 for the others.</summary>
public enum RowType
{
    /// <summary>4 bytes.</summary>
    Fp32,

    /// <summary>2 bytes, rounded to nearest even.</summary>
    Bf16,

    /// <summary>1 byte, -127 to 127, and one fp32 scale per 128 values: the largest magnitude / 127.</summary>
    Int8,

    /// <summary>1 byte, e4m3 (finite, largest 448), and one fp32 scale per 128 values: the largest magnitude / 448.</summary>
    Fp8,
}

/// <summary>How a row is laid out on the wire.</summary>
public static class RowTypes
{
    /// <summary>Values that share a scale in int8 and fp8 rows.</summary>
    public const int ScaleGroup = 128;

    /// <summary>What users write.</summary>
    public static string NameOf(RowType type) => type.ToString().ToLowerInvariant();

    /// <summary>Bytes of a row of some values: the values, then (int8, fp8) the scales, 4-byte aligned.</summary>
    public static int RowBytes(this RowType type, int hidden) => type switch
    {
        RowType.Fp32 => 4 * hidden,
        RowType.Bf16 => 2 * hidden,
        _ => ScalesAt(hidden) + (hidden + ScaleGroup - 1) / ScaleGroup * sizeof(float),
    };

    /// <summary>How partial sums of such rows come back.</summary>
    public static RowType Partial(this RowType type) => type == RowType.Fp32 ? RowType.Fp32 : RowType.Bf16;

    /// <summary>Where the scales of an int8 or fp8 row start.</summary>
    internal static int ScalesAt(int hidden) => (hidden + 3) / 4 * 4;
}
