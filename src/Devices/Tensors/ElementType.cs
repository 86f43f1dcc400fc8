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
}

/// <summary>Sizes and conversions of single values; the kernels have their own for whole vectors.</summary>
public static class Elements
{
    /// <summary>Bytes of one value.</summary>
    public static int Size(this ElementType type) => type == ElementType.F32 ? 4 : 2;

    /// <summary>The value at an index of a stored row; the address may be unaligned.</summary>
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
}
