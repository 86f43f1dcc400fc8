using System.Numerics;
using System.Runtime.CompilerServices;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Pairs of ids and the rank of their merge: an open hash table of eight bytes a slot, since most of the time of encoding goes into
/// waiting for it. Pair and rank share them: a vocabulary of 2^18 ids leaves 28 bits for ranks.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that no merge joins: above all others.</summary>
    public const uint NoRank = uint.MaxValue;

    private const ulong Free = ulong.MaxValue, Prime = 0x9E3779B97F4A7C15;
    /// <summary>Pairs that came lately: few enough for the nearest caches.</summary>
    private const int RecentBits = 14;

    private readonly ulong[] _slots;
    // In the form of the slots, pairs without a merge too. Writes of 64 bits are whole, so threads may share it.
    private readonly ulong[] _recent = new ulong[1 << RecentBits];
    private readonly int[] _merged;
    private readonly int _idBits, _rankBits, _shift;

    /// <summary>Makes the table; the rank of a pair is its place in the list, and a later entry of a pair replaces an earlier.</summary>
    [MethodImpl(Hot.Path)]
    public MergeTable(IReadOnlyList<(int Left, int Right, int Merged)> merges)
    {
        int size = 1;
        _merged = new int[merges.Count];
        for (int rank = 0; rank < merges.Count; rank++)
        {
            (int left, int right, _merged[rank]) = merges[rank];
            size = Math.Max(size, Math.Max(left, right) + 1);
        }
        // One bit more than the ids need where they fill it, so that no pair looks like a free slot.
        _idBits = BitOperations.Log2((uint)size) + 1;
        _rankBits = Math.Min(32, 64 - 2 * _idBits);
        if (merges.Count >= 1L << _rankBits)
            throw new ModelException($"{merges.Count} merges of ids up to {size - 1}; at most {(1L << _rankBits) - 1} can be told apart");
        int slotBits = BitOperations.Log2((uint)Math.Max(16, 2 * merges.Count - 1)) + 1;
        _shift = 64 - slotBits;
        _slots = new ulong[1 << slotBits];
        Array.Fill(_slots, Free);
        for (int rank = 0; rank < merges.Count; rank++)
        {
            ulong pair = Pair(merges[rank].Left, merges[rank].Right);
            _slots[Slot(pair)] = (pair << _rankBits) | (uint)rank;
        }
    }

    /// <summary>The rank of a pair, or <see cref="NoRank"/>.</summary>
    [MethodImpl(Hot.Path)]
    public uint Rank(int left, int right)
    {
        // An id that no merge knows has more bits than the others.
        if ((left | right) >> _idBits != 0) return NoRank;
        ulong pair = Pair(left, right), hash = pair * Prime, mask = (1UL << _rankBits) - 1;
        ref ulong recent = ref _recent[(int)(hash >> (64 - RecentBits))];
        ulong found = recent;
        if (found >> _rankBits != pair || found == 0)
        {
            found = _slots[Slot(pair)];
            recent = found = found == Free ? (pair << _rankBits) | mask : found;
        }
        // No rank has all bits set.
        return (found & mask) is var rank && rank == mask ? NoRank : (uint)rank;
    }

    /// <summary>The id that the merge of a rank makes.</summary>
    public int Merged(uint rank) => _merged[rank];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Slot(ulong pair)
    {
        ulong[] slots = _slots;
        int slot = (int)((pair * Prime) >> _shift);
        while (slots[slot] is var other && other >> _rankBits != pair && other != Free) slot = (slot + 1) & (slots.Length - 1);
        return slot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Pair(int left, int right) => ((ulong)(uint)left << _idBits) | (uint)right;
}
