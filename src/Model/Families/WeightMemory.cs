using Troupe.Devices.Tensors;

namespace Troupe.Model.Families;

/// <summary>
/// Memory for weights that do not stay where they are stored: large blocks, so that the system can use large pages for them.
/// </summary>
internal sealed unsafe class WeightMemory
{
    private const long BlockBytes = 64 << 20, Alignment = 64;

    private readonly List<NativeBuffer> _blocks = [];
    private long _left;

    /// <summary>All blocks; whoever computes with them gives them back.</summary>
    public IReadOnlyList<NativeBuffer> Blocks => _blocks;

    /// <summary>Says that all is filled.</summary>
    public void Seal() => _blocks.ForEach(block => block.PreferLargePages());

    /// <summary>Zeroed bytes, aligned to a cache line.</summary>
    public byte* Take(long bytes)
    {
        bytes = (bytes + Alignment - 1) / Alignment * Alignment;
        if (bytes > _left) _blocks.Add(new NativeBuffer(_left = Math.Max(bytes, BlockBytes)));
        _left -= bytes;
        NativeBuffer block = _blocks[^1];
        return block.Data + (block.Bytes - _left - bytes);
    }
}
