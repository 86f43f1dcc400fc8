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
    public PagedKvCache(int layers, ElementType type, int blocks, int blockSize, KvShape shape)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        _ = new KvBlocks(null, null, type, blockSize, shape);
        (Layers, Type, Blocks, BlockSize, Shape) = (layers, type, blocks, blockSize, shape);
        _keyBytes = blocks * shape.KeyBytes(type, blockSize);
        _valueBytes = blocks * shape.ValueBytes(type, blockSize);
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

    /// <summary>What is kept of a position in one layer.</summary>
    public KvShape Shape { get; }

    /// <summary>Bytes of all layers.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>The blocks of a layer, counted from the stage's first.</summary>
    public KvBlocks Layer(int index)
    {
        if ((uint)index >= (uint)Layers)
            throw new ArgumentOutOfRangeException(nameof(index), $"layer must be in [0, {Layers}), got {index}");
        byte* keys = _memory.Data + index * (_keyBytes + _valueBytes);
        return new KvBlocks(keys, keys + _keyBytes, Type, BlockSize, Shape);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _memory.Dispose();
}
