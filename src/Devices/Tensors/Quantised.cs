namespace Troupe.Devices.Tensors;

/// <summary>
/// Makes Int8, Int4 and BF16 weights of others. Int8 and Int4: symmetric groups of 32 columns with one bf16 scale, in panels of 16 rows.
/// A panel has for each group its values, arranged as a kernel reads them, and then the scales, [group, 16]; so one place in memory is read
/// after the other, and sums are never across lanes. Rows that fill up the last panel, and columns that fill up the last group, are 0.
/// <para>Products with them round rows to integers too, <see cref="Round"/>: sums of integers are exact and fast, and the error is small
/// beside that of the weights.</para>
/// </summary>
public static unsafe class Quantised
{
    /// <summary>Rows of a panel.</summary>
    public const int PanelRows = 16;

    /// <summary>The largest integer that a value is rounded to.</summary>
    public const float Most = 127;

    private const int PanelAlignment = 64;

    /// <summary>Whether rows lie in panels.</summary>
    public static bool IsPanel(this ElementType type) => type is ElementType.Int8 or ElementType.Int4;

    /// <summary>Bytes of a weight of this type.</summary>
    public static long Bytes(ElementType type, int rows, int columns) => type.IsPanel()
        ? (long)(rows + PanelRows - 1) / PanelRows * PanelBytes(type, columns)
        : (long)rows * columns * type.Size();

    /// <summary>A view of N x K values in memory of <see cref="Bytes"/>, aligned to 64.</summary>
    public static Weight View(byte* data, ElementType type, int rows, int columns)
    {
        if (!type.IsPanel()) return new Weight(data, type, rows, columns);
        long stride = PanelBytes(type, columns);
        return new Weight(data, type, rows, columns, stride, data + (long)Groups(columns) * GroupBytes(type), stride);
    }

    /// <summary>
    /// Fills rows [first, end) of a weight of this layout with those of another, to nearest. The scale of a group is that of its largest
    /// magnitude: in Int8 it becomes 127 or -127, in Int4 -8. BF16 has no scales and takes the values alone.
    /// </summary>
    public static void Fill(Weight to, Weight from, int first, int end)
    {
        float* values = stackalloc float[Elements.Group];
        for (int row = first; row < end; row++)
            for (int column = 0; column < to.Columns; column += Elements.Group)
            {
                int count = Math.Min(Elements.Group, to.Columns - column);
                Read(from, row, column, count, values);
                if (to.Type == ElementType.BF16)
                {
                    for (int i = 0; i < count; i++) ((ushort*)to.Row(row))[column + i] = Elements.ToBf16(values[i]);
                    continue;
                }
                (int group, int lane) = (column / Elements.Group, row % PanelRows);
                byte* at = to.Row(row) + (long)group * GroupBytes(to.Type);
                ((ushort*)to.ScaleRow(row))[group * PanelRows + lane] =
                    to.Type == ElementType.Int8 ? Int8Group(values, at, lane) : Int4Group(values, at, lane);
            }
    }

    /// <summary>One value of a weight in panels.</summary>
    internal static float Value(Weight weight, int row, int column) => Integer(weight, row, column) * Scale(weight, row, column);

    /// <summary>The scale of its group.</summary>
    public static float Scale(Weight weight, int row, int column) =>
        Elements.FromBf16(((ushort*)weight.ScaleRow(row))[column / Elements.Group * PanelRows + row % PanelRows]);

    /// <summary>The same without its scale.</summary>
    public static int Integer(Weight weight, int row, int column)
    {
        (int group, int within, int lane) = (column / Elements.Group, column % Elements.Group, row % PanelRows);
        byte* at = weight.Row(row) + (long)group * GroupBytes(weight.Type);
        return weight.Type == ElementType.Int8 ? *Int8At(at, lane, within) : ((*Int4At(at, lane, within) >> (within / 16 * 4)) & 15) - 8;
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

    private static void Read(Weight from, int row, int column, int count, float* values)
    {
        if (from.Type == ElementType.BF16)
            for (int i = 0; i < count; i++) values[i] = Elements.FromBf16(((ushort*)from.Row(row))[column + i]);
        else
            for (int i = 0; i < count; i++) values[i] = from[row, column + i];
        for (int i = count; i < Elements.Group; i++) values[i] = 0;
    }

    private static ushort Int8Group(float* values, byte* to, int lane)
    {
        float most = 0;
        for (int i = 0; i < Elements.Group; i++) most = MathF.Max(most, MathF.Abs(values[i]));
        ushort scale = Elements.ToBf16(most / Most);
        float inverse = Finite(1 / Elements.FromBf16(scale));
        for (int i = 0; i < Elements.Group; i++)
            *Int8At(to, lane, i) = (sbyte)Math.Clamp(MathF.Round(values[i] * inverse), -Most, Most);
        return scale;
    }

    // The largest magnitude becomes -8, which has no positive counterpart: the scale takes its sign.
    private static ushort Int4Group(float* values, byte* to, int lane)
    {
        float most = 0;
        for (int i = 0; i < Elements.Group; i++) most = MathF.Abs(values[i]) > MathF.Abs(most) ? values[i] : most;
        ushort scale = Elements.ToBf16(most / -8);
        float inverse = Finite(1 / Elements.FromBf16(scale));
        for (int i = 0; i < Elements.Group / 2; i++)
        {
            int low = (int)Math.Clamp(MathF.Round(values[i] * inverse), -8, 7) + 8;
            int high = (int)Math.Clamp(MathF.Round(values[i + Elements.Group / 2] * inverse), -8, 7) + 8;
            *Int4At(to, lane, i) = (byte)(low | high << 4);
        }
        return scale;
    }

    // Pairs of columns, each [row, 2].
    private static sbyte* Int8At(byte* group, int lane, int column) =>
        (sbyte*)group + column / 2 * 2 * PanelRows + lane * 2 + column % 2;

    // Fours of columns, each [row, 4]; columns 16 to 31 are the upper halves of the bytes of 0 to 15.
    private static byte* Int4At(byte* group, int lane, int column) => group + column % 16 / 4 * 4 * PanelRows + lane * 4 + column % 4;

    private static float Finite(float value) => float.IsFinite(value) ? value : 0;

    private static int GroupBytes(ElementType type) => type == ElementType.Int8 ? 32 * PanelRows : 16 * PanelRows;

    private static long PanelBytes(ElementType type, int columns) =>
        ((long)Groups(columns) * (GroupBytes(type) + PanelRows * sizeof(ushort)) + PanelAlignment - 1) / PanelAlignment * PanelAlignment;

    /// <summary>Groups of so many columns.</summary>
    public static int Groups(int columns) => (columns + Elements.Group - 1) / Elements.Group;
}
