namespace Troupe.Devices.Tensors;

/// <summary>
/// The key and value memory of one layer: blocks of positions, each block with all key/value heads. Keys lie in groups of 16 positions,
/// [block, head, group, D, 16], so that a kernel scores 16 positions at once without a horizontal sum; values lie [block, head, position,
/// Dv] with Dv = D rounded up to 16. Where values are the first part of their keys, they lie nowhere else. A view: the cache owns the
/// memory.
/// </summary>
public readonly unsafe struct KvBlocks
{
    /// <summary>Positions in a group of keys, and the multiple that a block's size must be.</summary>
    public const int Group = 16;

    /// <summary>A view of one layer's blocks.</summary>
    /// <exception cref="ArgumentException">The block size is no multiple of 16, or the type is F16.</exception>
    public KvBlocks(byte* keys, byte* values, ElementType type, int blockSize, int heads, int headSize)
        : this(keys, values, type, blockSize, new KvShape(heads, headSize, headSize))
    {
    }

    /// <summary>A view of one layer's blocks of any shape.</summary>
    /// <exception cref="ArgumentException">The block size is no multiple of 16, or the type is F16.</exception>
    public KvBlocks(byte* keys, byte* values, ElementType type, int blockSize, KvShape shape)
    {
        if (blockSize < Group || blockSize % Group != 0)
            throw new ArgumentException($"a KV block must hold a multiple of {Group} positions, got {blockSize}", nameof(blockSize));
        if (type == ElementType.F16) throw new ArgumentException("KV is kept as F32 or BF16, got F16", nameof(type));
        Keys = keys;
        Values = values;
        (Type, BlockSize, Shape) = (type, blockSize, shape);
    }

    /// <summary>The first key byte.</summary>
    public byte* Keys { get; }

    /// <summary>The first value byte.</summary>
    public byte* Values { get; }

    /// <summary>F32 or BF16.</summary>
    public ElementType Type { get; }

    /// <summary>Positions in a block.</summary>
    public int BlockSize { get; }

    /// <summary>What is kept of a position.</summary>
    public KvShape Shape { get; }

    /// <summary>Key/value heads.</summary>
    public int Heads => Shape.Heads;

    /// <summary>D: width of a key.</summary>
    public int HeadSize => Shape.KeySize;

    /// <summary>Width of a value.</summary>
    public int ValueSize => Shape.ValueSize;

    /// <summary>Whether values are the first part of their keys, so that there is no memory of values.</summary>
    public bool ValuesInKeys => Shape.ValuesInKeys;

    /// <summary>Dv: width of a stored value row.</summary>
    public int ValueStride => Padded(ValueSize);

    /// <summary>Where the keys of a group of 16 positions start, [D, 16]; the offset is that of its first position in the block.</summary>
    public byte* KeyGroup(int block, int head, int offset) =>
        Keys + (((long)block * Heads + head) * BlockSize + offset) * HeadSize * Type.Size();

    /// <summary>Where the value of a position starts, [Dv].</summary>
    public byte* ValueRow(int block, int head, int offset) =>
        Values + (((long)block * Heads + head) * BlockSize + offset) * ValueStride * Type.Size();

    /// <summary>Bytes that the keys of one block take.</summary>
    public static long KeyBytes(ElementType type, int blockSize, int heads, int headSize) =>
        (long)blockSize * heads * headSize * type.Size();

    /// <summary>Bytes that the values of one block take.</summary>
    public static long ValueBytes(ElementType type, int blockSize, int heads, int headSize) =>
        (long)blockSize * heads * Padded(headSize) * type.Size();

    internal static int Padded(int headSize) => (headSize + Group - 1) / Group * Group;
}

/// <summary>What is kept of a position in one layer.</summary>
/// <param name="Heads">Key/value heads.</param>
/// <param name="KeySize">Width of a key.</param>
/// <param name="ValueSize">Width of a value.</param>
/// <param name="ValuesInKeys">Whether a value is the first part of its key, as where both are one latent vector: it is kept once.</param>
public readonly record struct KvShape(int Heads, int KeySize, int ValueSize, bool ValuesInKeys = false)
{
    /// <summary>Bytes of the keys of a block.</summary>
    public long KeyBytes(ElementType type, int blockSize) => KvBlocks.KeyBytes(type, blockSize, Heads, KeySize);

    /// <summary>Bytes of the values of a block.</summary>
    public long ValueBytes(ElementType type, int blockSize) => ValuesInKeys ? 0 : KvBlocks.ValueBytes(type, blockSize, Heads, ValueSize);

    /// <summary>Bytes of a block.</summary>
    public long BlockBytes(ElementType type, int blockSize) => KeyBytes(type, blockSize) + ValueBytes(type, blockSize);
}

/// <summary>
/// How query heads share key/value heads: <paramref name="Size"/> that follow each other read the same one. Of the first such group the
/// first <paramref name="Lacking"/> heads may be elsewhere, and of the last some at its end.
/// </summary>
public readonly record struct HeadGroups(int Size, int Lacking = 0)
{
    /// <summary>The groups where some heads share each key/value head evenly.</summary>
    public static HeadGroups Even(int heads, int kvHeads) => new(heads / kvHeads);

    /// <summary>The key/value head that a query head reads.</summary>
    public int KvHeadOf(int head) => (head + Lacking) / Size;

    /// <summary>The first query head that reads a key/value head; that of the next one is where it ends.</summary>
    public int FirstOf(int kvHead) => Math.Max(0, kvHead * Size - Lacking);
}

/// <summary>Which sequence position each row of a call is, and where that sequence's KV blocks are.</summary>
public readonly ref struct KvRows
{
    /// <summary>[T] position in the sequence, from 0.</summary>
    public required ReadOnlySpan<int> Positions { get; init; }

    /// <summary>[T] the sequence's row in <see cref="Blocks"/>.</summary>
    public required ReadOnlySpan<int> Slots { get; init; }

    /// <summary>[slots, BlocksPerSlot] block ids in the order of positions.</summary>
    public required ReadOnlySpan<int> Blocks { get; init; }

    /// <summary>Width of a row of <see cref="Blocks"/>.</summary>
    public required int BlocksPerSlot { get; init; }

    /// <summary>T: rows.</summary>
    public int Count => Positions.Length;

    /// <summary>The block ids of a row's sequence.</summary>
    public ReadOnlySpan<int> BlocksOf(int row) => Blocks.Slice(Slots[row] * BlocksPerSlot, BlocksPerSlot);
}
