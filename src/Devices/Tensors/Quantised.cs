using System.Runtime.Intrinsics;

namespace Troupe.Devices.Tensors;

/// <summary>
/// Int8 and Int4: symmetric groups of 32 columns with one bf16 scale. In a panel (see <see cref="Panels"/>) the values of a group are fours
/// of columns, each [16 rows, 4]: bytes of which an instruction sums four products. Int8: 8 fours, stored plus 128. Int4: 4 fours, stored
/// plus 8; the lower halves of the bytes are columns 0 to 15 of the group, the upper ones 16 to 31.
/// <para>Products with them round rows to integers too, <see cref="Round"/>: sums of integers are exact and fast, and the error is small
/// beside that of the weights.</para>
/// </summary>
public static unsafe class Quantised
{
    /// <summary>The largest integer that a value is rounded to.</summary>
    public const float Most = 127;

    /// <summary>What is added to the integers of a type, so that none is negative.</summary>
    public static int Offset(ElementType type) => type == ElementType.Int8 ? 128 : 8;

    /// <summary>Bytes of a group's scales in a panel.</summary>
    public const int ScaleBytes = 16 * sizeof(ushort);

    /// <summary>Bytes of a group in a panel, with its scales.</summary>
    public static int GroupBytes(ElementType type) => ScaleBytes + Elements.Group * 16 / (type == ElementType.Int8 ? 1 : 2);

    /// <summary>
    /// Fills a group with 32 values, to nearest. Its scale is that of its largest magnitude: in Int8 it becomes 127 or -127, in Int4 -8.
    /// </summary>
    internal static void Fill(Weight to, int row, int column, float* values)
    {
        Vector512<float> low = Vector512.Load(values), high = Vector512.Load(values + 16);
        (float top, float bottom) = (Largest(Vector512.Max(low, high)), -Largest(Vector512.Max(-low, -high)));
        bool bytes = to.Type == ElementType.Int8;
        // The largest magnitude of Int4 becomes -8, which has no positive counterpart: the scale takes its sign.
        float most = bytes ? MathF.Max(top, -bottom) / Most : (top > -bottom ? top : bottom) / -8;
        ushort scale = Elements.ToBf16(most);
        *ScaleAt(to, row, column) = scale;
        Vector512<float> inverse = Vector512.Create(Finite(1 / Elements.FromBf16(scale)));
        Vector512<int> offset = Vector512.Create(Offset(to.Type)), least = Vector512.Create(bytes ? -(int)Most : -8);
        Vector512<int> greatest = Vector512.Create(bytes ? (int)Most : 7);
        Vector512<int> a = Integers(low), b = Integers(high);
        // Four columns are four bytes side by side.
        if (!bytes) Store(At(to, row, column), a | (b << 4));
        else
        {
            Store(At(to, row, column), a);
            Store(At(to, row, column + 16), b);
        }

        Vector512<int> Integers(Vector512<float> x) =>
            Vector512.Min(greatest, Vector512.Max(least, Vector512.ConvertToInt32(Vector512.Round(x * inverse)))) + offset;
    }

    private static void Store(byte* to, Vector512<int> bytes)
    {
        Vector256<short> pairs = Vector512.Narrow(bytes, bytes).GetLower();
        Vector128<uint> fours = Vector256.Narrow(pairs.AsUInt16(), pairs.AsUInt16()).GetLower().AsUInt32();
        for (int i = 0; i < 4; i++) *(uint*)(to + i * 64) = fours[i];
    }

    private static float Largest(Vector512<float> x)
    {
        Vector256<float> half = Vector256.Max(x.GetLower(), x.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
    }

    /// <summary>The scale of a value's group.</summary>
    public static float Scale(Weight weight, int row, int column) => Elements.FromBf16(*ScaleAt(weight, row, column));

    /// <summary>A value without its scale.</summary>
    public static int Integer(Weight weight, int row, int column)
    {
        int stored = *At(weight, row, column);
        if (weight.Type == ElementType.Int4) stored = (stored >> (column % Elements.Group / 16 * 4)) & 15;
        return stored - Offset(weight.Type);
    }

    /// <summary>
    /// Rounds 32 values of a row to integers from -127 to 127, which times the scale that it returns are near what they were.
    /// </summary>
    public static float Round(ReadOnlySpan<float> values, Span<int> to)
    {
        float most = 0;
        foreach (float value in values) most = MathF.Max(most, MathF.Abs(value));
        float inverse = Inverse(most);
        for (int i = 0; i < values.Length; i++) to[i] = (int)MathF.Round(values[i] * inverse);
        return most / Most;
    }

    /// <summary>What values of at most this magnitude are multiplied by to become integers.</summary>
    public static float Inverse(float most) => most < 1e-30f ? 0 : Most / most;

    // The byte that a value is in.
    private static byte* At(Weight weight, int row, int column)
    {
        int within = weight.Type == ElementType.Int8 ? column % Elements.Group : column % 16;
        (int group, int bytes) = (column / Elements.Group, GroupBytes(weight.Type));
        byte* values = Unit(weight, row, group) + 2 * ScaleBytes + group % 2 * (bytes - ScaleBytes);
        return values + within / 4 * 64 + row % 16 * 4 + within % 4;
    }

    private static ushort* ScaleAt(Weight weight, int row, int column)
    {
        int group = column / Elements.Group;
        return (ushort*)(Unit(weight, row, group) + group % 2 * ScaleBytes) + row % 16;
    }

    // Two groups.
    private static byte* Unit(Weight weight, int row, int group) => weight.Row(row) + group / 2 * 2L * GroupBytes(weight.Type);

    private static float Finite(float value) => float.IsFinite(value) ? value : 0;
}
