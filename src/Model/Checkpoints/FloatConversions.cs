using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Troupe.Model.Checkpoints;

/// <summary>Widens stored 16-bit floats. Exact: every bf16 and f16 value is a float32 value. Spans may be unaligned.</summary>
public static class FloatConversions
{
    /// <summary>bf16 to float32: the bits are the upper half. Both spans: [n]; the destination may be longer.</summary>
    public static void FromBF16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination)[..source.Length];
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref uint to = ref MemoryMarshal.GetReference(bits);
        int i = 0;
        for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
            (low << 16).StoreUnsafe(ref to, (nuint)i);
            (high << 16).StoreUnsafe(ref to, (nuint)(i + Vector256<uint>.Count));
        }
        for (; i < source.Length; i++) bits[i] = (uint)source[i] << 16;
    }

    /// <summary>
    /// f16 to float32. Exponent and mantissa move up by 13 bits and the product with 2^112 corrects the exponent's bias, subnormals
    /// included; infinities and NaNs get their exponent filled. Both spans: [n]; the destination may be longer.
    /// </summary>
    public static void FromF16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<float> values = destination[..source.Length];
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(values);
        int i = 0;
        for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
            Widen(low).StoreUnsafe(ref to, (nuint)i);
            Widen(high).StoreUnsafe(ref to, (nuint)(i + Vector256<uint>.Count));
        }
        for (; i < source.Length; i++) values[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
    }

    private static float TwoTo112 => BitConverter.UInt32BitsToSingle((127 + 112) << 23);

    private static Vector256<float> Widen(Vector256<uint> half)
    {
        Vector256<uint> magnitude = (half & Vector256.Create(0x7FFFu)) << 13;
        Vector256<uint> scaled = (magnitude.AsSingle() * Vector256.Create(TwoTo112)).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(0x7C00u << 13)) & Vector256.Create(0x7F80_0000u);
        return (scaled | special | ((half & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }
}
