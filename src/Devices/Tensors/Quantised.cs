namespace Troupe.Devices.Tensors;

/// <summary>
/// Makes Int8 and Int4 weights: symmetric groups of 32 values with one bf16 scale. A row has its values, the last group filled up with
/// zeros, and then its scales, so that one place in memory is read after the other and some rows are a weight of their own.
/// </summary>
public static unsafe class Quantised
{
    private const int RowAlignment = 8;

    /// <summary>Bytes of a row with its scales.</summary>
    public static long RowBytes(ElementType type, int columns)
    {
        long groups = Groups(columns);
        return (ValueBytes(type, columns) + groups * sizeof(ushort) + RowAlignment - 1) / RowAlignment * RowAlignment;
    }

    /// <summary>A view of N x K values in memory of N x <see cref="RowBytes"/> bytes.</summary>
    public static Weight View(byte* data, ElementType type, int rows, int columns)
    {
        long stride = RowBytes(type, columns);
        return new Weight(data, type, rows, columns, stride, data + ValueBytes(type, columns), stride);
    }

    /// <summary>
    /// Fills rows [first, end) of a weight of this layout with those of another, to nearest. The scale of a group is that of its largest
    /// magnitude: in Int8 it becomes 127 or -127, in Int4 -8.
    /// </summary>
    public static void Fill(Weight to, Weight from, int first, int end)
    {
        float* values = stackalloc float[Elements.Group];
        for (int row = first; row < end; row++)
            for (int column = 0; column < to.Columns; column += Elements.Group)
            {
                for (int i = 0; i < Elements.Group; i++) values[i] = column + i < to.Columns ? from[row, column + i] : 0;
                var scale = (ushort*)to.ScaleRow(row) + column / Elements.Group;
                if (to.Type == ElementType.Int8) *scale = Int8Group(values, (sbyte*)to.Row(row) + column);
                else *scale = Int4Group(values, to.Row(row) + column / 2);
            }
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
