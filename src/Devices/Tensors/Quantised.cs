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
        bool bytes = to.Type == ElementType.Int8;
        float most = 0;
        // The largest magnitude of Int4 becomes -8, which has no positive counterpart: the scale takes its sign.
        for (int i = 0; i < Elements.Group; i++)
            most = bytes ? MathF.Max(most, MathF.Abs(values[i])) : MathF.Abs(values[i]) > MathF.Abs(most) ? values[i] : most;
        ushort scale = Elements.ToBf16(bytes ? most / Most : most / -8);
        float inverse = Finite(1 / Elements.FromBf16(scale));
        *ScaleAt(to, row, column) = scale;
        for (int i = 0; i < Elements.Group; i++)
        {
            float value = MathF.Round(values[i] * inverse);
            if (bytes) *At(to, row, column + i) = (byte)(Math.Clamp(value, -Most, Most) + Offset(to.Type));
            else if (i < Elements.Group / 2) *At(to, row, column + i) = (byte)(Math.Clamp(value, -8, 7) + Offset(to.Type));
            else *At(to, row, column + i) |= (byte)((int)(Math.Clamp(value, -8, 7) + Offset(to.Type)) << 4);
        }
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
