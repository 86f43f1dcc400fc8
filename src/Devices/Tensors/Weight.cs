namespace Troupe.Devices.Tensors;

/// <summary>
/// A stored matrix [N, K], row-major, where it lies: usually a file mapping. Row n holds the weights of output n. A vector is [1, K].
/// Rows may lie apart, as those of some columns of a wider matrix do. A view only: whoever made the memory keeps it alive. The address may
/// be unaligned.
/// </summary>
public readonly unsafe struct Weight
{
    /// <summary>A view of N x K values.</summary>
    public Weight(byte* data, ElementType type, int rows, int columns)
        : this(data, type, rows, columns, (long)columns * type.Size())
    {
    }

    /// <summary>A view of N x K values whose rows begin every <paramref name="rowBytes"/> bytes.</summary>
    public Weight(byte* data, ElementType type, int rows, int columns, long rowBytes)
    {
        Data = data;
        (Type, Rows, Columns, RowBytes) = (type, rows, columns, rowBytes);
    }

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

    /// <summary>Bytes of its values.</summary>
    public long Bytes => (long)Rows * Columns * Type.Size();

    /// <summary>The first byte of a row.</summary>
    public byte* Row(int row) => Data + row * RowBytes;

    /// <summary>One value as float32.</summary>
    public float this[int row, int column] => Elements.Read(Row(row), Type, column);
}
