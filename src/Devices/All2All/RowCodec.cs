using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>
/// Rows between the fp32 (or bf16) of a caller and the wire's row type, each value rounded once and the same way everywhere. bf16 rounds
/// to nearest even; int8 and fp8 divide by their group's scale and round to nearest even.
/// </summary>
internal static unsafe class RowCodec
{
    private const float LargestInt8 = 127, LargestFp8 = 448;

    /// <summary>Writes a row of fp32 values in a row type; <paramref name="streamed"/> (of fp32 and bf16) where another core reads it
    /// next.</summary>
    public static void Encode(RowType type, float* row, byte* to, int hidden, bool streamed = false)
    {
        switch (type)
        {
            case RowType.Fp32 when streamed:
                Streamed.Copy((byte*)row, to, (long)hidden * sizeof(float));
                break;
            case RowType.Fp32:
                Unsafe.CopyBlockUnaligned(to, row, (uint)hidden * sizeof(float));
                break;
            case RowType.Bf16:
                Narrow(row, (ushort*)to, hidden, streamed);
                break;
            default:
                Quantize(type, row, to, hidden);
                break;
        }
    }

    /// <summary>Reads a row of a row type as fp32 values.</summary>
    public static void Decode(RowType type, byte* row, float* to, int hidden)
    {
        switch (type)
        {
            case RowType.Fp32:
                Unsafe.CopyBlockUnaligned(to, row, (uint)hidden * sizeof(float));
                break;
            case RowType.Bf16:
                Widen((ushort*)row, to, hidden);
                break;
            default:
                Expand(type, row, to, hidden);
                break;
        }
    }

    /// <summary>fp32 to bf16, nearest even; NaN stays NaN.</summary>
    public static void Narrow(float* from, ushort* to, int count, bool streamed = false)
    {
        streamed &= Streamed.IsAligned(to);
        int i = 0;
        for (; i <= count - 32; i += 32)
        {
            var low = Round(Vector512.Load(from + i));
            var high = Round(Vector512.Load(from + i + 16));
            var values = Vector512.Narrow(low, high);
            if (streamed) values.StoreAlignedNonTemporal(to + i);
            else values.Store(to + i);
        }
        for (; i < count; i++) to[i] = Round(from[i]);
    }

    /// <summary>bf16 to fp32, exact.</summary>
    public static void Widen(ushort* from, float* to, int count)
    {
        int i = 0;
        for (; i <= count - 32; i += 32)
        {
            var (low, high) = Vector512.Widen(Vector512.Load(from + i));
            (low << 16).AsSingle().Store(to + i);
            (high << 16).AsSingle().Store(to + i + 16);
        }
        for (; i < count; i++) to[i] = Widen(from[i]);
    }

    /// <summary>One value to bf16.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>One value from bf16.</summary>
    public static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>Sixteen values to bf16 in the low halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Round(Vector512<float> values)
    {
        var bits = values.AsUInt32();
        var high = bits >>> 16;
        var rounded = (bits + Vector512.Create(0x7FFFu) + (high & Vector512<uint>.One)) >>> 16;
        return Vector512.ConditionalSelect(Vector512.IsNaN(values).AsUInt32(), high | Vector512.Create(0x40u), rounded);
    }

    /// <summary>e4m3, finite, nearest even, saturating at 448; NaN is 0x7F. Format: Micikevicius et al. 2022, "FP8 Formats".</summary>
    public static byte ToFp8(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value), sign = bits >> 24 & 0x80, magnitude = bits & 0x7FFF_FFFF;
        if (magnitude > 0x7F80_0000) return (byte)(sign | 0x7F);
        if (magnitude >= 0x43E0_0000) return (byte)(sign | 0x7E); // 448 and more
        // Below 2^-6 values are multiples of 2^-9: adding 2^14 makes the float unit round them to that, nearest even.
        if (magnitude < 0x3C80_0000)
        {
            float shifted = BitConverter.UInt32BitsToSingle(magnitude) + 16384f;
            return (byte)(sign | (BitConverter.SingleToUInt32Bits(shifted) & 0x0F));
        }
        uint rounded = magnitude + 0x7_FFFF + (magnitude >> 20 & 1);
        return (byte)(sign | ((rounded >> 20) - (120u << 3)));
    }

    /// <summary>One value from e4m3.</summary>
    public static float FromFp8(byte value)
    {
        if ((value & 0x7F) == 0x7F) return float.NaN;
        // The exponent's bias is 7 there and 127 here: placing the bits and multiplying by 2^120 is exact, subnormals included.
        float magnitude = BitConverter.UInt32BitsToSingle((uint)(value & 0x7F) << 20) * 1.3292279957849159e36f;
        return (value & 0x80) != 0 ? -magnitude : magnitude;
    }

    private static void Quantize(RowType type, float* row, byte* to, int hidden)
    {
        var scales = (float*)(to + RowTypes.ScalesAt(hidden));
        float most = type == RowType.Int8 ? LargestInt8 : LargestFp8;
        for (int from = 0; from < hidden; from += RowTypes.ScaleGroup)
        {
            int count = Math.Min(RowTypes.ScaleGroup, hidden - from);
            float scale = Largest(row + from, count) / most;
            scales[from / RowTypes.ScaleGroup] = scale;
            float inverse = scale > 0 ? 1 / scale : 0;
            if (float.IsInfinity(inverse)) inverse = 0; // a group of the smallest subnormals is zero
            if (type == RowType.Int8) ToInt8(row + from, (sbyte*)to + from, count, inverse);
            else ToFp8(row + from, to + from, count, inverse);
        }
    }

    private static void Expand(RowType type, byte* row, float* to, int hidden)
    {
        var scales = (float*)(row + RowTypes.ScalesAt(hidden));
        for (int from = 0; from < hidden; from += RowTypes.ScaleGroup)
        {
            int count = Math.Min(RowTypes.ScaleGroup, hidden - from);
            float scale = scales[from / RowTypes.ScaleGroup];
            if (type == RowType.Int8) FromInt8((sbyte*)row + from, to + from, count, scale);
            else FromFp8(row + from, to + from, count, scale);
        }
    }

    private static float Largest(float* values, int count)
    {
        var most = Vector512<float>.Zero;
        int i = 0;
        for (; i <= count - 16; i += 16) most = Vector512.Max(most, Vector512.Abs(Vector512.Load(values + i)));
        Vector256<float> half = Vector256.Max(most.GetLower(), most.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        float largest = MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
        for (; i < count; i++) largest = MathF.Max(largest, MathF.Abs(values[i]));
        return largest;
    }

    private static void ToInt8(float* from, sbyte* to, int count, float inverse)
    {
        var factor = Vector512.Create(inverse);
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            // Adding 1.5 x 2^23 rounds to an integer, nearest even, and leaves it in the low bits.
            var shifted = Vector512.Load(from + i) * factor + Vector512.Create(12582912f);
            var whole = shifted.AsInt32() - Vector512.Create(0x4B40_0000);
            var bytes = Vector512.Narrow(Vector512.Narrow(whole, whole), Vector512<short>.Zero);
            bytes.GetLower().GetLower().Store(to + i);
        }
        for (; i < count; i++) to[i] = (sbyte)(BitConverter.SingleToInt32Bits(from[i] * inverse + 12582912f) - 0x4B40_0000);
    }

    /// <summary>As <see cref="ToFp8(float)"/>, sixteen values at a time.</summary>
    private static void ToFp8(float* from, byte* to, int count, float inverse)
    {
        var factor = Vector512.Create(inverse);
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            var bits = (Vector512.Load(from + i) * factor).AsUInt32();
            var magnitude = bits & Vector512.Create(0x7FFF_FFFFu);
            var small = (magnitude.AsSingle() + Vector512.Create(16384f)).AsUInt32() & Vector512.Create(0x0Fu);
            var rounded = magnitude + Vector512.Create(0x7_FFFFu) + ((magnitude >>> 20) & Vector512<uint>.One);
            var value = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512.Create(0x3C80_0000u)), small,
                (rounded >>> 20) - Vector512.Create(120u << 3));
            value = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(0x43E0_0000u)),
                Vector512.Create(0x7Eu), value);
            value = Vector512.ConditionalSelect(Vector512.GreaterThan(magnitude, Vector512.Create(0x7F80_0000u)),
                Vector512.Create(0x7Fu), value);
            value |= (bits >>> 24) & Vector512.Create(0x80u);
            var bytes = Vector512.Narrow(Vector512.Narrow(value, value), Vector512<ushort>.Zero);
            bytes.GetLower().GetLower().Store(to + i);
        }
        for (; i < count; i++) to[i] = ToFp8(from[i] * inverse);
    }

    private static void FromInt8(sbyte* from, float* to, int count, float scale)
    {
        var factor = Vector512.Create(scale);
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            var halves = Vector256.WidenLower(Vector128.Load(from + i).ToVector256());
            var whole = Vector512.WidenLower(halves.ToVector512());
            (Vector512.ConvertToSingle(whole) * factor).Store(to + i);
        }
        for (; i < count; i++) to[i] = from[i] * scale;
    }

    private static void FromFp8(byte* from, float* to, int count, float scale)
    {
        var factor = Vector512.Create(scale);
        var bias = Vector512.Create(1.3292279957849159e36f);
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            var halves = Vector256.WidenLower(Vector128.Load(from + i).ToVector256());
            var bits = Vector512.WidenLower(halves.ToVector512());
            var magnitude = ((bits & Vector512.Create(0x7Fu)) << 20).AsSingle() * bias;
            var signed = magnitude.AsUInt32() | (bits & Vector512.Create(0x80u)) << 24;
            var isNaN = Vector512.Equals(bits & Vector512.Create(0x7Fu), Vector512.Create(0x7Fu));
            var value = Vector512.ConditionalSelect(isNaN, Vector512.Create(0x7FC0_0000u), signed).AsSingle();
            (value * factor).Store(to + i);
        }
        for (; i < count; i++) to[i] = FromFp8(from[i]) * scale;
    }
}
