using Troupe.Devices.Tensors;

namespace Troupe.Model.Cache;

/// <summary>
/// Keys and values of all layers of a stage, in blocks of positions that sequences reserve. Owns its memory, which the system hands out as
/// it is first written.
/// </summary>
public sealed unsafe class PagedKvCache : IDisposable
{
    private readonly NativeBuffer _memory;
    private readonly long _keyBytes, _valueBytes;

    /// <summary>Memory for some layers.</summary>
    /// <exception cref="ArgumentException">The block size is no multiple of 16, or the type is F16.</exception>
    public PagedKvCache(int layers, ElementType type, int blocks, int blockSize, int kvHeads, int headSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        _ = new KvBlocks(null, null, type, blockSize, kvHeads, headSize);
        (Layers, Type, Blocks, BlockSize, KvHeads, HeadSize) = (layers, type, blocks, blockSize, kvHeads, headSize);
        _keyBytes = blocks * KvBlocks.KeyBytes(type, blockSize, kvHeads, headSize);
        _valueBytes = blocks * KvBlocks.ValueBytes(type, blockSize, kvHeads, headSize);
        _memory = new NativeBuffer(layers * (_keyBytes + _valueBytes));
    }

    /// <summary>Layers of the stage.</summary>
    public int Layers { get; }

    /// <summary>F32 or BF16.</summary>
    public ElementType Type { get; }

    /// <summary>Blocks; ids are [0, Blocks).</summary>
    public int Blocks { get; }

    /// <summary>Positions in a block.</summary>
    public int BlockSize { get; }

    /// <summary>Key/value heads.</summary>
    public int KvHeads { get; }

    /// <summary>Width of a head.</summary>
    public int HeadSize { get; }

    /// <summary>Bytes of all layers.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>The blocks of a layer, counted from the stage's first.</summary>
    public KvBlocks Layer(int index)
    {
        if ((uint)index >= (uint)Layers)
            throw new ArgumentOutOfRangeException(nameof(index), $"layer must be in [0, {Layers}), got {index}");
        byte* keys = _memory.Data + index * (_keyBytes + _valueBytes);
        return new KvBlocks(keys, keys + _keyBytes, Type, BlockSize, KvHeads, HeadSize);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _memory.Dispose();
}
