using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Collectives;

/// <summary>How rows change between the fp32 of the ranks and the bf16 of the wire, and how sums of rows are made.</summary>
internal static class RowMath
{
    /// <summary>Rounds to bf16, nearest even; NaN stays NaN.</summary>
    public static void Narrow(ReadOnlySpan<float> source, Span<ushort> target)
    {
        if (target.Length < source.Length) throw new ArgumentException($"got {target.Length} values for {source.Length}", nameof(target));
        ref uint from = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(source));
        ref ushort to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - 16; i += 16)
        {
            var low = Round(Vector256.LoadUnsafe(ref from, (nuint)i));
            var high = Round(Vector256.LoadUnsafe(ref from, (nuint)i + 8));
            Vector256.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }
        for (; i < source.Length; i++) target[i] = Round(source[i]);
    }

    /// <summary>Back to fp32, exactly.</summary>
    public static void Widen(ReadOnlySpan<ushort> source, Span<float> target)
    {
        if (target.Length < source.Length) throw new ArgumentException($"got {target.Length} values for {source.Length}", nameof(target));
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - 16; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
            (low << 16).AsSingle().StoreUnsafe(ref to, (nuint)i);
            (high << 16).AsSingle().StoreUnsafe(ref to, (nuint)i + 8);
        }
        for (; i < source.Length; i++) target[i] = Widen(source[i]);
    }

    /// <summary>
    /// sum = +0 + row: every sum starts from +0, so that it is never -0, and adding a zero of either sign, or nothing, makes no difference
    /// of bits. The spans may be the same.
    /// </summary>
    public static void Begin(ReadOnlySpan<float> row, Span<float> sum)
    {
        if (sum.Length < row.Length) throw new ArgumentException($"got {sum.Length} values for {row.Length}", nameof(sum));
        ref float from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(sum);
        int i = 0;
        for (; i <= row.Length - 8; i += 8)
            (Vector256<float>.Zero + Vector256.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        for (; i < row.Length; i++) sum[i] = 0f + row[i];
    }

    /// <summary>sum += row.</summary>
    public static void Add(ReadOnlySpan<float> row, Span<float> sum)
    {
        if (sum.Length < row.Length) throw new ArgumentException($"got {sum.Length} values for {row.Length}", nameof(sum));
        ref float from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(sum);
        int i = 0;
        for (; i <= row.Length - 8; i += 8)
            (Vector256.LoadUnsafe(ref to, (nuint)i) + Vector256.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        for (; i < row.Length; i++) sum[i] += row[i];
    }

    /// <summary>sum += row, a row of bf16.</summary>
    public static void Add(ReadOnlySpan<ushort> row, Span<float> sum)
    {
        if (sum.Length < row.Length) throw new ArgumentException($"got {sum.Length} values for {row.Length}", nameof(sum));
        ref ushort from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(sum);
        int i = 0;
        for (; i <= row.Length - 16; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
            (Vector256.LoadUnsafe(ref to, (nuint)i) + (low << 16).AsSingle()).StoreUnsafe(ref to, (nuint)i);
            (Vector256.LoadUnsafe(ref to, (nuint)i + 8) + (high << 16).AsSingle()).StoreUnsafe(ref to, (nuint)i + 8);
        }
        for (; i < row.Length; i++) sum[i] += Widen(row[i]);
    }

    private static Vector256<uint> Round(Vector256<uint> bits)
    {
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
        var isNaN = Vector256.GreaterThan(bits & Vector256.Create(0x7FFF_FFFFu), Vector256.Create(0x7F80_0000u));
        return Vector256.ConditionalSelect(isNaN, (bits >>> 16) | Vector256.Create(0x40u), rounded);
    }

    private static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);
}
