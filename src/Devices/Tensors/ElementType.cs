namespace Troupe.Devices.Tensors;

/// <summary>How the values of a weight or of a KV cache are stored. Kernels compute in fp32 whatever is stored.</summary>
public enum ElementType
{
    /// <summary>2 bytes: the upper half of a float32.</summary>
    BF16,

    /// <summary>2 bytes: IEEE half precision.</summary>
    F16,

    /// <summary>4 bytes: IEEE single precision.</summary>
    F32,

    /// <summary>1 byte, -127 to 127, times the bf16 scale of its group of 32.</summary>
    Int8,

    /// <summary>4 bits, -8 to 7, times the bf16 scale of its group of 32.</summary>
    Int4,

    /// <summary>1 byte: sign, 4 bits of exponent (bias 7), 3 of mantissa (E4M3), times the fp32 scale of its block of 128 x 128.</summary>
    Fp8,

    /// <summary>
    /// 4 bits: sign, 2 bits of exponent, 1 of mantissa (E2M1), times the power of two of its group of 32 (OCP Microscaling, MXFP4).
    /// </summary>
    MxFp4,

    /// <summary>
    /// BF16 in panels of 32 rows with the two values of a pair of columns side by side, as instructions that multiply pairs read them; in
    /// 12 bits a value, without loss.
    /// </summary>
    PackedBf16,
}

/// <summary>Sizes and conversions of single values; the kernels have their own for whole vectors.</summary>
public static class Elements
{
    /// <summary>Values of a row that share a scale, in Int8, Int4 and MxFp4; they begin at multiples of it.</summary>
    public const int Group = 32;

    /// <summary>Rows, and columns, that share a scale in Fp8.</summary>
    public const int Block = 128;

    private static readonly float[] s_fp4 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    /// <summary>Bytes of one value.</summary>
    /// <exception cref="ArgumentException">It has no whole bytes: Int4, MxFp4 and PackedBf16.</exception>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.F32 => 4,
        ElementType.BF16 or ElementType.F16 => 2,
        ElementType.Int8 or ElementType.Fp8 => 1,
        _ => throw new ArgumentException($"a value of {type} has no whole bytes"),
    };

    /// <summary>Whether values stand for themselves, without scales.</summary>
    public static bool IsPlain(this ElementType type) => type <= ElementType.F32;

    /// <summary>The value at an index of a stored row of plain values; the address may be unaligned.</summary>
    public static unsafe float Read(byte* data, ElementType type, long index) => type switch
    {
        ElementType.BF16 => FromBf16(((ushort*)data)[index]),
        ElementType.F16 => (float)((Half*)data)[index],
        _ => ((float*)data)[index],
    };

    /// <summary>bf16 bits as float32: exact.</summary>
    public static float FromBf16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>float32 to bf16 bits, to nearest, ties to even; NaN stays NaN.</summary>
    public static ushort ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>E4M3 bits as float32: exact. All ones but the sign is NaN; there are no infinities.</summary>
    public static float FromFp8(byte bits)
    {
        int magnitude = bits & 0x7F, exponent = magnitude >> 3, mantissa = magnitude & 7;
        float value = magnitude == 0x7F ? float.NaN
            : exponent == 0 ? MathF.ScaleB(mantissa, -9) : MathF.ScaleB(8 + mantissa, exponent - 10);
        return bits >= 0x80 ? -value : value;
    }

    /// <summary>E2M1 bits, the lower four, as float32: exact.</summary>
    public static float FromFp4(int bits) => (bits & 8) == 0 ? s_fp4[bits & 7] : -s_fp4[bits & 7];

    /// <summary>A scale of MxFp4: the bits are an exponent with bias 127 and nothing else (E8M0); all ones are NaN.</summary>
    public static float FromE8M0(byte bits) => bits switch
    {
        0 => BitConverter.UInt32BitsToSingle(1u << 22), // 2^-127 is subnormal
        0xFF => float.NaN,
        _ => BitConverter.UInt32BitsToSingle((uint)bits << 23),
    };
}
