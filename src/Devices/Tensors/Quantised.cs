namespace Troupe.Devices.Tensors;

/// <summary>
/// Makes Int8, Int4 and BF16 weights of others. Int8 and Int4: symmetric groups of 32 values with one bf16 scale. A row has its values, the last group filled up with
/// zeros, and then its scales, so that one place in memory is read after the other and some rows are a weight of their own.
/// </summary>
public static unsafe class Quantised
{
    private const int RowAlignment = 8;

    /// <summary>Bytes of a row with its scales; of plain types, of a row.</summary>
    public static long RowBytes(ElementType type, int columns) => type.IsPlain()
        ? (long)columns * type.Size()
        : (ValueBytes(type, columns) + (long)Groups(columns) * sizeof(ushort) + RowAlignment - 1) / RowAlignment * RowAlignment;

    /// <summary>A view of N x K values in memory of N x <see cref="RowBytes"/> bytes.</summary>
    public static Weight View(byte* data, ElementType type, int rows, int columns)
    {
        if (type.IsPlain()) return new Weight(data, type, rows, columns);
        long stride = RowBytes(type, columns);
        return new Weight(data, type, rows, columns, stride, data + ValueBytes(type, columns), stride);
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
                var scale = (ushort*)to.ScaleRow(row) + column / Elements.Group;
                if (to.Type == ElementType.Int8) *scale = Int8Group(values, (sbyte*)to.Row(row) + column);
                else *scale = Int4Group(values, to.Row(row) + column / 2);
            }
    }

    private static void Read(Weight from, int row, int column, int count, float* values)
    {
        if (from.Type == ElementType.BF16)
            for (int i = 0; i < count; i++) values[i] = Elements.FromBf16(((ushort*)from.Row(row))[column + i]);
        else
            for (int i = 0; i < count; i++) values[i] = from[row, column + i];
        for (int i = count; i < Elements.Group; i++) values[i] = 0;
    }

    private static ushort Int8Group(float* values, sbyte* to)
    {
        float most = 0;
        for (int i = 0; i < Elements.Group; i++) most = MathF.Max(most, MathF.Abs(values[i]));
        ushort scale = Elements.ToBf16(most / 127);
        float inverse = Inverse(scale);
        for (int i = 0; i < Elements.Group; i++) to[i] = (sbyte)Math.Clamp(MathF.Round(values[i] * inverse), -127, 127);
        return scale;
    }

    // The largest magnitude becomes -8, which has no positive counterpart: the scale takes its sign.
    private static ushort Int4Group(float* values, byte* to)
    {
        float most = 0;
        for (int i = 0; i < Elements.Group; i++) most = MathF.Abs(values[i]) > MathF.Abs(most) ? values[i] : most;
        ushort scale = Elements.ToBf16(most / -8);
        float inverse = Inverse(scale);
        for (int i = 0; i < Elements.Group / 2; i++)
        {
            int low = (int)Math.Clamp(MathF.Round(values[i] * inverse), -8, 7) + 8;
            int high = (int)Math.Clamp(MathF.Round(values[i + Elements.Group / 2] * inverse), -8, 7) + 8;
            to[i] = (byte)(low | high << 4);
        }
        return scale;
    }

    private static float Inverse(ushort scale)
    {
        float inverse = 1 / Elements.FromBf16(scale);
        return float.IsFinite(inverse) ? inverse : 0;
    }

    private static long ValueBytes(ElementType type, int columns) => type switch
    {
        ElementType.Int8 => (long)Groups(columns) * Elements.Group,
        ElementType.Int4 => (long)Groups(columns) * Elements.Group / 2,
        _ => throw new ArgumentException($"only Int8 and Int4 are made here, got {type}", nameof(type)),
    };

    private static int Groups(int columns) => (columns + Elements.Group - 1) / Elements.Group;
}
