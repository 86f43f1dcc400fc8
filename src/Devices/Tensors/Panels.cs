using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Tensors;

/// <summary>
/// Weights in panels: some rows (outputs) side by side, so that a product with a row of x has one output to a lane and no sum is across
/// lanes, and one place in memory is read after the other. What fills up the last panel, and the last group or pair of columns, counts 0.
/// <para><see cref="ElementType.PackedBf16"/>: 32 rows; [K / 2, 32, 2], K rounded up to 32, which is two tiles of AMX side by side, too;
/// kept in 12 bits a value, see <see cref="CodedPanel"/>.</para>
/// <para><see cref="ElementType.Int8"/> and <see cref="ElementType.Int4"/>: 16 rows; for each 64 columns the bf16 scales of two groups of
/// 32, [2, 16], and then their values, see <see cref="Quantised"/>. K is rounded up to 64.</para>
/// </summary>
public static unsafe class Panels
{
    private const int PairRows = CodedPanel.Rows, GroupRows = 16;

    [ThreadStatic]
    private static ushort[]? t_plain;

    /// <summary>Whether rows lie in panels.</summary>
    public static bool IsPanel(this ElementType type) => type is ElementType.PackedBf16 or ElementType.Int8 or ElementType.Int4;

    /// <summary>Rows of a panel.</summary>
    public static int RowsOf(ElementType type) => type == ElementType.PackedBf16 ? PairRows : GroupRows;

    /// <summary>Columns of a panel with those that fill it up.</summary>
    public static int WholeColumns(ElementType type, int columns)
    {
        int unit = type == ElementType.PackedBf16 ? Elements.Group : 2 * Elements.Group;
        return (columns + unit - 1) / unit * unit;
    }

    /// <summary>Bytes of a weight of this type, in panels or plain.</summary>
    public static long Bytes(ElementType type, int rows, int columns) => type.IsPanel()
        ? (long)(rows + RowsOf(type) - 1) / RowsOf(type) * PanelBytes(type, columns)
        : (long)rows * columns * type.Size();

    /// <summary>A view of N x K values in zeroed memory of <see cref="Bytes"/>, aligned to 64; not of one with scales elsewhere.</summary>
    public static Weight View(byte* data, ElementType type, int rows, int columns)
    {
        if (!type.IsPanel()) return new Weight(data, type, rows, columns);
        long stride = PanelBytes(type, columns);
        return new Weight(data, type, rows, columns, stride, type == ElementType.PackedBf16 ? null : data, stride);
    }

    /// <summary>
    /// Fills rows [first, end) of such a view with those of another weight, to nearest. First: the first row of a panel; end: that of
    /// another one, or behind the last row.
    /// </summary>
    public static void Fill(Weight to, Weight from, int first, int end, SpareMemory spare)
    {
        if (to.Type == ElementType.PackedBf16)
        {
            int columns = WholeColumns(to.Type, to.Columns);
            ushort* plain = Plain(columns);
            for (int row = first; row < end; row += PairRows)
            {
                int count = Math.Min(PairRows, end - row);
                if (count < PairRows || columns > to.Columns) new Span<ushort>(plain, columns * PairRows).Clear();
                if (from.Type == ElementType.BF16) Pack(plain, from, row, count);
                else Round(plain, from, row, count);
                CodedPanel.Fill(to.Row(row), plain, columns, spare);
            }
            return;
        }
        float* values = stackalloc float[Elements.Group];
        for (int row = first; row < end; row++)
            for (int column = 0; column < to.Columns; column += Elements.Group)
            {
                int count = Math.Min(Elements.Group, to.Columns - column);
                Read(from, row, column, count, values);
                Quantised.Fill(to, row, column, values);
            }
    }

    /// <summary>A plain panel of this thread: room for that of a coded one, until the next is asked for.</summary>
    internal static ushort* Plain(int columns)
    {
        const int line = 64 / sizeof(ushort);
        int count = columns * PairRows + line;
        if (t_plain is null || t_plain.Length < count) t_plain = GC.AllocateUninitializedArray<ushort>(count, pinned: true);
        var first = (ushort*)Unsafe.AsPointer(ref t_plain[0]);
        return (ushort*)(((nuint)first + 63) / 64 * 64);
    }

    /// <summary>One value of a weight in panels.</summary>
    internal static float Value(Weight weight, int row, int column) => weight.Type == ElementType.PackedBf16
        ? Elements.FromBf16(CodedPanel.Bits(weight.Row(row), row % PairRows, column, WholeColumns(weight.Type, weight.Columns)))
        : Quantised.Integer(weight, row, column) * Quantised.Scale(weight, row, column);

    // Line by line: 16 pairs of a row are one line of memory, and those of a panel's rows fill 2 KB.
    private static void Pack(ushort* panel, Weight from, int first, int count)
    {
        int pairs = from.Columns / 2;
        for (int block = 0; block < pairs; block += 16)
        {
            int end = Math.Min(pairs, block + 16);
            if (end - block == 16 && count == PairRows && Avx512F.IsSupported)
            {
                byte* target = (byte*)panel + block * PairRows * 4;
                Turn(from.Row(first) + block * 4, from.RowBytes, target);
                Turn(from.Row(first + 16) + block * 4, from.RowBytes, target + 64);
                continue;
            }
            for (int row = 0; row < count; row++)
            {
                var source = (uint*)from.Row(first + row);
                uint* target = (uint*)panel + row;
                for (int pair = block; pair < end; pair++) target[pair * PairRows] = source[pair];
            }
        }
        if (from.Columns % 2 == 0) return;
        for (int row = 0; row < count; row++)
            panel[PlainAt(row, from.Columns - 1)] = ((ushort*)from.Row(first + row))[from.Columns - 1];
    }

    private static void Round(ushort* panel, Weight from, int first, int count)
    {
        for (int row = 0; row < count; row++)
            for (int column = 0; column < from.Columns; column++) panel[PlainAt(row, column)] = Elements.ToBf16(from[first + row, column]);
    }

    private static int PlainAt(int row, int column) => (column / 2 * PairRows + row) * 2 + column % 2;

    // 16 x 16 values of 32 bits, transposed: twice unpacked within quarters, and then quarters exchanged.
    [SkipLocalsInit]
    private static void Turn(byte* from, long stride, byte* to)
    {
        Vector512<int>* rows = stackalloc Vector512<int>[16];
        Vector512<int>* turned = stackalloc Vector512<int>[16];
        for (int i = 0; i < 16; i += 4)
        {
            Vector512<int> a = Line(i), b = Line(i + 1), c = Line(i + 2), d = Line(i + 3);
            Vector512<long> ab = Avx512F.UnpackLow(a, b).AsInt64(), cd = Avx512F.UnpackLow(c, d).AsInt64();
            Vector512<long> abHigh = Avx512F.UnpackHigh(a, b).AsInt64(), cdHigh = Avx512F.UnpackHigh(c, d).AsInt64();
            rows[i] = Avx512F.UnpackLow(ab, cd).AsInt32();
            rows[i + 1] = Avx512F.UnpackHigh(ab, cd).AsInt32();
            rows[i + 2] = Avx512F.UnpackLow(abHigh, cdHigh).AsInt32();
            rows[i + 3] = Avx512F.UnpackHigh(abHigh, cdHigh).AsInt32();
        }
        for (int column = 0; column < 4; column++)
        {
            // Quarter q of rows[4 g + column] is column 4 q + column of rows 4 g to 4 g + 3.
            Vector512<int> a = rows[column], b = rows[4 + column], c = rows[8 + column], d = rows[12 + column];
            Vector512<int> ab = Avx512F.Shuffle4x128(a, b, 0x44), abHigh = Avx512F.Shuffle4x128(a, b, 0xEE);
            Vector512<int> cd = Avx512F.Shuffle4x128(c, d, 0x44), cdHigh = Avx512F.Shuffle4x128(c, d, 0xEE);
            turned[column] = Avx512F.Shuffle4x128(ab, cd, 0x88);
            turned[4 + column] = Avx512F.Shuffle4x128(ab, cd, 0xDD);
            turned[8 + column] = Avx512F.Shuffle4x128(abHigh, cdHigh, 0x88);
            turned[12 + column] = Avx512F.Shuffle4x128(abHigh, cdHigh, 0xDD);
        }
        for (int i = 0; i < 16; i++) turned[i].Store((int*)(to + i * PairRows * 4));

        Vector512<int> Line(int row) => Vector512.Load((int*)(from + row * stride));
    }

    private static void Read(Weight from, int row, int column, int count, float* values)
    {
        if (from.Type == ElementType.BF16 && count == Elements.Group) Widen((ushort*)from.Row(row) + column, values);
        else if (from.Type == ElementType.BF16)
            for (int i = 0; i < count; i++) values[i] = Elements.FromBf16(((ushort*)from.Row(row))[column + i]);
        else
            for (int i = 0; i < count; i++) values[i] = from[row, column + i];
        for (int i = count; i < Elements.Group; i++) values[i] = 0;
    }

    private static void Widen(ushort* from, float* to)
    {
        (Vector512<uint> low, Vector512<uint> high) = Vector512.Widen(Vector512.Load(from));
        (low << 16).AsSingle().Store(to);
        (high << 16).AsSingle().Store(to + 16);
    }

    private static long PanelBytes(ElementType type, int columns)
    {
        long whole = WholeColumns(type, columns);
        return type == ElementType.PackedBf16 ? CodedPanel.Bytes(whole) : whole / Elements.Group * Quantised.GroupBytes(type);
    }
}
