using System.Collections.Immutable;
using System.Numerics;

namespace Troupe.Model.Cache;

/// <summary>
/// Which KV blocks are free: an immutable value that a scheduler keeps. The lowest free ids go first, so that equal histories give equal
/// ids.
/// </summary>
public sealed class BlockPool
{
    // One bit per block, set where free.
    private readonly ImmutableArray<ulong> _free;

    private BlockPool(ImmutableArray<ulong> free, int blocks, int blockSize, int count) =>
        (_free, Blocks, BlockSize, Free) = (free, blocks, blockSize, count);

    /// <summary>A pool of free blocks.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Either number is below 1.</exception>
    public static BlockPool Of(int blocks, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        ulong[] free = new ulong[(blocks + 63) / 64];
        for (int id = 0; id < blocks; id++) free[id / 64] |= 1ul << (id % 64);
        return new BlockPool(ImmutableArray.Create(free), blocks, blockSize, blocks);
    }

    /// <summary>Blocks in all; ids are [0, Blocks).</summary>
    public int Blocks { get; }

    /// <summary>Positions in a block.</summary>
    public int BlockSize { get; }

    /// <summary>Blocks that are free.</summary>
    public int Free { get; }

    /// <summary>Blocks that some positions need.</summary>
    public int BlocksFor(int positions) => (positions + BlockSize - 1) / BlockSize;

    /// <summary>Takes blocks for a prompt and all the tokens it may grow by; null if too few are free, and then nothing is taken.</summary>
    public Reservation? Reserve(int positions)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(positions);
        int wanted = BlocksFor(positions);
        if (wanted > Free) return null;
        ulong[] free = [.. _free];
        ImmutableArray<int>.Builder ids = ImmutableArray.CreateBuilder<int>(wanted);
        for (int word = 0; ids.Count < wanted; word++)
            for (; free[word] != 0 && ids.Count < wanted; free[word] &= free[word] - 1)
                ids.Add(word * 64 + BitOperations.TrailingZeroCount(free[word]));
        return new Reservation(ids.MoveToImmutable(), new BlockPool(ImmutableArray.Create(free), Blocks, BlockSize, Free - wanted));
    }

    /// <summary>The pool with some blocks free again.</summary>
    /// <exception cref="ArgumentException">A block is not of this pool, or is free already.</exception>
    public BlockPool Release(IEnumerable<int> ids)
    {
        ulong[] free = [.. _free];
        int count = Free;
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)Blocks) throw new ArgumentException($"block must be in [0, {Blocks}), got {id}");
            if ((free[id / 64] & (1ul << (id % 64))) != 0) throw new ArgumentException($"block {id} is free already: released twice?");
            free[id / 64] |= 1ul << (id % 64);
            count++;
        }
        return new BlockPool(ImmutableArray.Create(free), Blocks, BlockSize, count);
    }
}

/// <summary>Blocks that were taken, ascending, and the pool without them.</summary>
public sealed record Reservation(ImmutableArray<int> Blocks, BlockPool Rest);
