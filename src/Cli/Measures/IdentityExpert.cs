using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;

namespace Troupe.Cli.Measures;

/// <summary>
/// Experts that hand rows back: each row is read once, scaled by the sum of its weights here, and written as partial sum, in the wire's
/// types. The sum of all partial sums of a row is the row. Allocates nothing.
/// </summary>
/// <param name="first">The first expert of this rank.</param>
/// <param name="count">Its experts, which follow each other.</param>
internal sealed unsafe class IdentityExpert(int first, int count)
{
    /// <summary>Serves all rows as they arrive; with <paramref name="tell"/> says after each tile what is done.</summary>
    public void Run(DispatchHandle handle, bool tell)
    {
        int row = 0;
        while (row < handle.Rows)
        {
            int end = handle.Await(row);
            for (; row < end; row++) Scale(handle, row, Weight(handle, row));
            if (tell) handle.Done(end);
        }
    }

    private static void Scale(DispatchHandle handle, int row, float weight)
    {
        byte* from = handle.Row(row), to = handle.Partial(row);
        bool streamed = handle.IsStreamed(row) && Streamed.IsAligned(to);
        switch (handle.Type)
        {
            case RowType.Fp32:
                ScaleFp32((float*)from, (float*)to, handle.Hidden, weight, streamed);
                break;
            case RowType.Bf16:
                ScaleBf16((uint*)from, (uint*)to, handle.Hidden, weight, streamed);
                break;
            default:
                ScaleBytes(handle.Type, from, (ushort*)to, handle.Hidden, weight, streamed);
                break;
        }
    }

    private static void ScaleFp32(float* from, float* to, int hidden, float weight, bool streamed)
    {
        var factor = Vector512.Create(weight);
        int i = 0;
        for (; i <= hidden - 16; i += 16) Store(Vector512.Load(from + i) * factor, to + i, streamed);
        for (; i < hidden; i++) to[i] = from[i] * weight;
    }

    /// <summary>Two values a word: the upper is a float32 as it is, the lower once it is shifted up, so nothing changes its lane.</summary>
    private static void ScaleBf16(uint* from, uint* to, int hidden, float weight, bool streamed)
    {
        var factor = Vector512.Create(weight);
        var upper = Vector512.Create(0xFFFF_0000u);
        int words = hidden / 2, i = 0;
        for (; i <= words - 16; i += 16)
        {
            var both = Vector512.Load(from + i);
            var low = ((both << 16).AsSingle() * factor).AsUInt32();
            var high = ((both & upper).AsSingle() * factor).AsUInt32();
            Store((Rounded(low) >>> 16) | (Rounded(high) & upper), to + i, streamed);
        }
        var values = (ushort*)from;
        var sums = (ushort*)to;
        for (int value = 2 * i; value < hidden; value++)
            sums[value] = ToBf16(BitConverter.UInt32BitsToSingle((uint)values[value] << 16) * weight);
    }

    private static void ScaleBytes(RowType type, byte* from, ushort* to, int hidden, float weight, bool streamed)
    {
        var scales = (float*)(from + type.RowBytes(hidden)) - (hidden + RowTypes.ScaleGroup - 1) / RowTypes.ScaleGroup;
        for (int start = 0; start < hidden; start += RowTypes.ScaleGroup)
        {
            int group = Math.Min(RowTypes.ScaleGroup, hidden - start), i = 0;
            float scale = weight * scales[start / RowTypes.ScaleGroup];
            for (; i <= group - 32; i += 32)
            {
                Vector512<uint> low = Scaled(type, from + start + i, scale), high = Scaled(type, from + start + i + 16, scale);
                Store(Vector512.Narrow(low, high), to + start + i, streamed);
            }
            for (; i < group; i++)
            {
                Vector128<byte> value = Vector128.CreateScalar(from[start + i]);
                to[start + i] = ToBf16((type == RowType.Int8 ? OfInt8(value.AsSByte()) : OfFp8(value))[0] * scale);
            }
        }
    }

    /// <summary>Sixteen values, scaled, as bf16 in the low halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Scaled(RowType type, byte* from, float scale)
    {
        Vector128<byte> bytes = Vector128.Load(from);
        Vector512<float> values = type == RowType.Int8 ? OfInt8(bytes.AsSByte()) : OfFp8(bytes);
        return Rounded((values * Vector512.Create(scale)).AsUInt32()) >>> 16;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> OfInt8(Vector128<sbyte> bytes) =>
        Vector512.ConvertToSingle(Vector512.WidenLower(Vector256.WidenLower(bytes.ToVector256()).ToVector512()));

    /// <summary>e4m3: its exponent's bias is 7 and float32's 127, so the bits in place times 2^120 are the value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> OfFp8(Vector128<byte> bytes)
    {
        Vector512<uint> bits = Vector512.WidenLower(Vector256.WidenLower(bytes.ToVector256()).ToVector512());
        var magnitude = ((bits & Vector512.Create(0x7Fu)) << 20).AsSingle() * Vector512.Create(1.3292279957849159e36f);
        return (magnitude.AsUInt32() | (bits & Vector512.Create(0x80u)) << 24).AsSingle();
    }

    /// <summary>The upper 16 bits become bf16, nearest even; rows of the benchmark hold no NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Rounded(Vector512<uint> bits) =>
        bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(Vector512<T> values, T* to, bool streamed) where T : unmanaged
    {
        if (streamed) values.StoreAlignedNonTemporal(to);
        else values.Store(to);
    }

    private static ushort ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private float Weight(DispatchHandle handle, int row)
    {
        int slots = handle.Slots(row, out int* experts, out float* weights);
        float sum = 0;
        for (int k = 0; k < slots; k++)
            if ((uint)(experts[k] - first) < (uint)count) sum += weights[k];
        return sum;
    }
}
