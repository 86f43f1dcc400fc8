namespace Troupe.Devices.Tensors;

/// <summary>
/// A stored matrix [N, K], row-major, where it lies: usually a file mapping. Row n holds the weights of output n. A vector is [1, K].
/// Rows may lie apart, as those of some columns of a wider matrix do. Types with scales (see <see cref="ElementType"/>) have them at
/// another address, with a stride of their own. A view only: whoever made the memory keeps it alive. The address may be unaligned.
/// </summary>
public readonly unsafe struct Weight
{
    private readonly int _firstRow, _firstColumn; // where the view begins in the blocks of Fp8: below 128

    /// <summary>A view of N x K plain values.</summary>
    public Weight(byte* data, ElementType type, int rows, int columns)
        : this(data, type, rows, columns, (long)columns * type.Size())
    {
    }

    /// <summary>A view of N x K plain values whose rows begin every <paramref name="rowBytes"/> bytes.</summary>
    /// <exception cref="ArgumentException">The type has scales.</exception>
    public Weight(byte* data, ElementType type, int rows, int columns, long rowBytes)
        : this(data, type, rows, columns, rowBytes, null, 0)
    {
        if (!type.IsPlain()) throw new ArgumentException($"a weight of {type} needs scales", nameof(type));
    }

    /// <summary>A view of N x K values of any type.</summary>
    /// <param name="data">Values. Fp8: a byte each; MxFp4: byte j holds columns 2j (lower half) and 2j + 1, as public checkpoints have it;
    /// panels: see <see cref="Panels"/>.</param>
    /// <param name="type">How they are stored.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K; of MxFp4 a multiple of 32.</param>
    /// <param name="rowBytes">Bytes from a row of values to the next; of panels from one to the next.</param>
    /// <param name="scales">
    /// MxFp4: a byte each, [N, K / 32]; Fp8: fp32 [N / 128, K / 128], both rounded up; Int8 and Int4: bf16, of a panel [K / 32, 16].
    /// </param>
    /// <param name="scaleBytes">Bytes from a row of scales to the next.</param>
    /// <exception cref="ArgumentException">MxFp4 of part of a group.</exception>
    public Weight(byte* data, ElementType type, int rows, int columns, long rowBytes, byte* scales, long scaleBytes)
    {
        if (type == ElementType.MxFp4 && columns % Elements.Group != 0)
            throw new ArgumentException($"rows of {type} have whole groups of {Elements.Group}, got {columns} values", nameof(columns));
        Data = data;
        Scales = scales;
        (Type, Rows, Columns, RowBytes, ScaleBytes) = (type, rows, columns, rowBytes, scaleBytes);
    }

    private Weight(Weight whole, byte* data, byte* scales, int rows, int columns, int firstRow, int firstColumn)
        : this(data, whole.Type, rows, columns, whole.RowBytes, scales, whole.ScaleBytes) =>
        (_firstRow, _firstColumn) = (firstRow, firstColumn);

    /// <summary>The first byte.</summary>
    public byte* Data { get; }

    /// <summary>How values are stored.</summary>
    public ElementType Type { get; }

    /// <summary>N: outputs.</summary>
    public int Rows { get; }

    /// <summary>K: inputs.</summary>
    public int Columns { get; }

    /// <summary>Bytes from the start of a row to that of the next.</summary>
    public long RowBytes { get; }

    /// <summary>The first scale; null where values are plain.</summary>
    public byte* Scales { get; }

    /// <summary>Bytes from a row of scales to the next.</summary>
    public long ScaleBytes { get; }

    /// <summary>Where the first column lies in its block of scales; 0 but for some columns of an Fp8 matrix.</summary>
    public int FirstColumn => _firstColumn;

    /// <summary>Bytes of its values and scales.</summary>
    public long Bytes => Type switch
    {
        _ when Type.IsPanel() => Panels.Bytes(Type, Rows, Columns),
        ElementType.MxFp4 => (long)Rows * (Columns / 2 + Columns / Elements.Group),
        ElementType.Fp8 => (long)Rows * Columns + (long)Blocks(Rows) * Blocks(Columns) * sizeof(float),
        _ => (long)Rows * Columns * Type.Size(),
    };

    /// <summary>The first byte of a row, or of the panel that it is in.</summary>
    public byte* Row(int row) => Data + (Type.IsPanel() ? row / Panels.RowsOf(Type) : row) * RowBytes;

    /// <summary>The first scale of a row: that of the group or block that its first value is in.</summary>
    public byte* ScaleRow(int row) => Type == ElementType.Fp8
        ? Scales + (_firstRow + row) / Elements.Block * ScaleBytes
        : Scales + (Type.IsPanel() ? row / Panels.RowsOf(Type) : row) * ScaleBytes;

    /// <summary>Some of its rows.</summary>
    /// <exception cref="ArgumentException">They begin inside a panel.</exception>
    public Weight TakeRows(int first, int count)
    {
        if (Type.IsPanel() && first % Panels.RowsOf(Type) != 0)
            throw new ArgumentException($"rows of {Type} can be taken from multiples of {Panels.RowsOf(Type)} on, got {first}");
        int at = Type == ElementType.Fp8 ? (_firstRow + first) % Elements.Block : 0;
        return new Weight(this, Row(first), ScaleRow(first), count, Columns, at, _firstColumn);
    }

    /// <summary>Some of its columns: a part of each row, where it lies.</summary>
    /// <exception cref="ArgumentException">They begin inside a group, or in Fp8 not at a multiple of 16; or lie in panels.</exception>
    public Weight TakeColumns(int first, int count)
    {
        if (Type.IsPanel()) throw new ArgumentException($"columns of {Type} cannot be taken: it is made of those that are wanted");
        int unit = Type.IsPlain() ? 1 : Type == ElementType.Fp8 ? Elements.Group / 2 : Elements.Group;
        if (first % unit != 0)
            throw new ArgumentException($"columns of {Type} can be taken from multiples of {unit} on, got {first}", nameof(first));
        byte* data = Type == ElementType.MxFp4 ? Data + first / 2 : Data + (long)first * Type.Size();
        return Type switch
        {
            ElementType.MxFp4 => new Weight(this, data, Scales + first / Elements.Group, Rows, count, 0, 0),
            ElementType.Fp8 => new Weight(this, data, Scales + (_firstColumn + first) / Elements.Block * sizeof(float), Rows, count,
                _firstRow, (_firstColumn + first) % Elements.Block),
            _ => new Weight(this, data, null, Rows, count, 0, 0),
        };
    }

    /// <summary>One value as float32.</summary>
    public float this[int row, int column]
    {
        get
        {
            byte* data = Row(row), scales = ScaleRow(row);
            return Type switch
            {
                _ when Type.IsPanel() => Panels.Value(this, row, column),
                ElementType.MxFp4 =>
                    Elements.FromFp4(data[column / 2] >> (column % 2 * 4)) * Elements.FromE8M0(scales[column / Elements.Group]),
                ElementType.Fp8 => Elements.FromFp8(data[column]) * ((float*)scales)[(_firstColumn + column) / Elements.Block],
                _ => Elements.Read(data, Type, column),
            };
        }
    }

    private static int Blocks(int count) => (count + Elements.Block - 1) / Elements.Block;
}
