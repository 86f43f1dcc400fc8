using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// How 32 stored values with scales become two vectors of value times scale, in registers. What a vector holds is exactly what
/// <see cref="Weight.this[int, int]"/> says, whichever instructions there are.
/// </summary>
internal unsafe interface IGrouped
{
    /// <summary>Bytes of 32 values, without scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>32 values from a column on, which is a multiple of 16 (Fp8) or 32.</summary>
    /// <param name="row">Of the values.</param>
    /// <param name="scales">Of the row.</param>
    /// <param name="column">The first of them.</param>
    /// <param name="skip">The first column's place in its block.</param>
    /// <param name="low">The first 16.</param>
    /// <param name="high">The others.</param>
    static abstract void Load(byte* row, byte* scales, int column, int skip, out Vector512<float> low, out Vector512<float> high);
}

internal unsafe struct GroupedMxFp4 : IGrouped
{
    public static int Bytes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* row, byte* scales, int column, int skip, out Vector512<float> low, out Vector512<float> high)
    {
        // 16 bytes of two values each become 32 bytes of one, in the order of columns.
        Vector256<ushort> pairs = Vector256.WidenLower(Vector128.Load(row + column / 2).ToVector256Unsafe());
        Vector256<byte> codes = ((pairs & Vector256.Create((ushort)0x0F)) | ((pairs & Vector256.Create((ushort)0xF0)) << 4)).AsByte();
        float scale = Elements.FromE8M0(scales[column / Elements.Group]);
        if (Avx512F.IsSupported)
        {
            Vector512<float> table = Vector512.Create(scale)
                * Vector512.Create(0f, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6);
            low = Avx512F.PermuteVar16x32(table, Avx512F.ConvertToVector512Int32(codes.GetLower()));
            high = Avx512F.PermuteVar16x32(table, Avx512F.ConvertToVector512Int32(codes.GetUpper()));
            return;
        }
        // Twice the values are whole numbers.
        var doubled = Vector128.Create((sbyte)0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12).AsByte();
        low = Widened.Signed(Vector128.Shuffle(doubled, codes.GetLower()), scale);
        high = Widened.Signed(Vector128.Shuffle(doubled, codes.GetUpper()), scale);
    }
}

internal unsafe struct GroupedFp8 : IGrouped
{
    public static int Bytes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* row, byte* scales, int column, int skip, out Vector512<float> low, out Vector512<float> high)
    {
        var scale = (float*)scales;
        low = Values(row + column) * scale[(skip + column) / Elements.Block];
        high = Values(row + column + Lanes.Count) * scale[(skip + column + Lanes.Count) / Elements.Block];
    }

    // Exponent and mantissa move to where fp32 has them and get its bias; below the smallest exponent the mantissa is a whole number of
    // 2^-9; 127 is NaN. Not by a product of subnormals as in F16: on some processors each of them would cost 150 cycles.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Values(byte* from)
    {
        Vector512<int> bits = Widened.Unsigned(from), magnitude = bits & Vector512.Create(0x7F);
        Vector512<int> normal = (magnitude << 20) + Vector512.Create(120 << 23);
        Vector512<int> small = (Vector512.ConvertToSingle(magnitude) * Vector512.Create(1f / 512)).AsInt32();
        Vector512<int> value = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512.Create(8)), small, normal);
        value |= Vector512.Equals(magnitude, Vector512.Create(0x7F));
        return (value | ((bits & Vector512.Create(0x80)) << 24)).AsSingle();
    }
}

/// <summary>16 small integers as a vector of 32-bit ones, by one instruction where there is one.</summary>
internal static unsafe class Widened
{
    /// <summary>Half of each value times a scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Signed(Vector128<byte> doubled, float scale) =>
        Vector512.ConvertToSingle(Signed(doubled.AsSByte())) * Vector512.Create(0.5f) * Vector512.Create(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Unsigned(byte* from)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Int32(Vector128.Load(from));
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(from));
        (Vector128<uint> a, Vector128<uint> b) = Vector128.Widen(low);
        (Vector128<uint> c, Vector128<uint> d) = Vector128.Widen(high);
        return Vector512.Create(Vector256.Create(a, b), Vector256.Create(c, d)).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Signed(Vector128<sbyte> values)
    {
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(values);
        (Vector128<int> a, Vector128<int> b) = Vector128.Widen(low);
        (Vector128<int> c, Vector128<int> d) = Vector128.Widen(high);
        return Vector512.Create(Vector256.Create(a, b), Vector256.Create(c, d));
    }
}
