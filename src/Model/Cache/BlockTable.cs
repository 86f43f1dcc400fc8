namespace Troupe.Model.Cache;

/// <summary>
/// The KV blocks of each running sequence of a replica: one slot per sequence, block ids in the order of positions. Every stage fills its
/// own from the same reservations, so that they agree without a word. Made once; filling a slot allocates nothing.
/// </summary>
public sealed class BlockTable
{
    private readonly int[] _blocks, _counts;

    /// <summary>Room for some sequences.</summary>
    /// <param name="slots">Sequences at once.</param>
    /// <param name="blocksPerSlot">The most blocks of one sequence.</param>
    /// <param name="blocks">Blocks of the cache: ids are [0, blocks).</param>
    /// <param name="blockSize">Positions in a block.</param>
    public BlockTable(int slots, int blocksPerSlot, int blocks, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blocksPerSlot, 1);
        (Slots, BlocksPerSlot, Blocks, BlockSize) = (slots, blocksPerSlot, blocks, blockSize);
        (_blocks, _counts) = (new int[slots * blocksPerSlot], new int[slots]);
    }

    /// <summary>Sequences at once.</summary>
    public int Slots { get; }

    /// <summary>The most blocks of one sequence.</summary>
    public int BlocksPerSlot { get; }

    /// <summary>Blocks of the cache.</summary>
    public int Blocks { get; }

    /// <summary>Positions in a block.</summary>
    public int BlockSize { get; }

    /// <summary>All slots side by side: [Slots, BlocksPerSlot].</summary>
    public ReadOnlySpan<int> All => _blocks;

    /// <summary>Positions that a slot's blocks hold; 0 if the slot is empty.</summary>
    public int Capacity(int slot) => _counts[slot] * BlockSize;

    /// <summary>Gives a slot to a sequence.</summary>
    /// <exception cref="ArgumentException">No such slot, too many blocks, or a block that the cache lacks.</exception>
    public void Set(int slot, ReadOnlySpan<int> blocks)
    {
        if ((uint)slot >= (uint)Slots) throw new ArgumentException($"slot must be in [0, {Slots}), got {slot}");
        if (blocks.Length > BlocksPerSlot)
            throw new ArgumentException($"a sequence has at most {BlocksPerSlot} blocks, got {blocks.Length}");
        foreach (int id in blocks)
            if ((uint)id >= (uint)Blocks) throw new ArgumentException($"block must be in [0, {Blocks}), got {id}");
        blocks.CopyTo(_blocks.AsSpan(slot * BlocksPerSlot));
        _counts[slot] = blocks.Length;
    }

    /// <summary>Empties a slot.</summary>
    public void Clear(int slot) => _counts[slot] = 0;
}
