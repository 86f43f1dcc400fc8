using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// The merges of a BPE vocabulary. Of all neighbours in a piece, the pair of lowest rank is joined first, the leftmost of several,
/// until no pair has a merge (Sennrich et al. 2016).
/// </summary>
internal sealed class BytePairMerges
{
    private const int None = -1;
    private const ulong Never = ulong.MaxValue;
    /// <summary>Up to here the pair is found by looking at all of them: quadratic, but without a heap to keep.</summary>
    internal const int ShortPiece = 256;

    // An open hash table: a pair of ids, and its rank above the id of the two joined. Twice as many slots as merges.
    private readonly (ulong Pair, ulong Merge)[] _slots;

    /// <summary>Makes the table; the rank of a pair is its place in the list, and a later entry of a pair replaces an earlier.</summary>
    public BytePairMerges(IReadOnlyList<(int Left, int Right, int Merged)> merges)
    {
        _slots = new (ulong, ulong)[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * merges.Count))];
        Array.Fill(_slots, (Never, Never));
        for (int rank = 0; rank < merges.Count; rank++)
        {
            ulong pair = Pair(merges[rank].Left, merges[rank].Right);
            _slots[Slot(pair)] = (pair, ((ulong)rank << 32) | (uint)merges[rank].Merged);
        }
    }

    /// <summary>Joins the ids of a piece in place and returns how many are left at its start.</summary>
    public int Merge(Span<int> ids) => ids.Length <= ShortPiece ? MergeShort(ids) : MergeLong(ids);

    internal int MergeShort(Span<int> ids)
    {
        // Behind each id the rank of its pair with the next one; the same with the joined id below it.
        Span<uint> ranks = stackalloc uint[ShortPiece];
        Span<int> joined = stackalloc int[ShortPiece];
        int count = ids.Length;
        for (int i = 0; i + 1 < count; i++) Look(ids, i, ranks, joined);
        while (count > 1)
        {
            int best = LowestRank(ranks[..(count - 1)]);
            if (ranks[best] == uint.MaxValue) break;
            ids[best] = joined[best];
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            if (best + 2 < count)
            {
                ranks[(best + 2)..(count - 1)].CopyTo(ranks[(best + 1)..]);
                joined[(best + 2)..(count - 1)].CopyTo(joined[(best + 1)..]);
            }
            count--;
            if (best > 0) Look(ids, best - 1, ranks, joined);
            if (best + 1 < count) Look(ids, best, ranks, joined);
        }
        return count;
    }

    /// <summary>The same for any length in n log n: a linked list of symbols, and a heap of (rank, place) that may be stale.</summary>
    internal int MergeLong(Span<int> ids)
    {
        int[] buffer = ArrayPool<int>.Shared.Rent(2 * ids.Length);
        Span<int> next = buffer.AsSpan(0, ids.Length), previous = buffer.AsSpan(ids.Length, ids.Length);
        var first = new List<(int, ulong)>();
        for (int i = 0; i < ids.Length; i++)
        {
            (next[i], previous[i]) = (i + 1 < ids.Length ? i + 1 : None, i - 1);
            if (i + 1 < ids.Length && Find(ids[i], ids[i + 1]) is var merge and not Never) first.Add((i, Priority(merge, i)));
        }
        var heap = new PriorityQueue<int, ulong>(first);
        while (heap.TryDequeue(out int at, out ulong priority))
        {
            int right = next[at];
            // Stale where a symbol has been joined into another, or where either has changed since.
            if (ids[at] == None || right == None) continue;
            ulong merge = Find(ids[at], ids[right]);
            if (merge >> 32 != priority >> 32) continue;
            ids[at] = (int)merge;
            ids[right] = None;
            next[at] = next[right];
            if (next[at] != None)
            {
                previous[next[at]] = at;
                Push(heap, at, Find(ids[at], ids[next[at]]));
            }
            if (previous[at] != None) Push(heap, previous[at], Find(ids[previous[at]], ids[at]));
        }
        int count = 0;
        for (int i = 0; i != None; i = next[i]) ids[count++] = ids[i];
        ArrayPool<int>.Shared.Return(buffer);
        return count;
    }

    private static void Push(PriorityQueue<int, ulong> heap, int at, ulong merge)
    {
        if (merge != Never) heap.Enqueue(at, Priority(merge, at));
    }

    private static ulong Priority(ulong merge, int at) => (merge & 0xFFFFFFFF00000000) | (uint)at;

    private void Look(ReadOnlySpan<int> ids, int at, Span<uint> ranks, Span<int> joined)
    {
        ulong merge = Find(ids[at], ids[at + 1]);
        (ranks[at], joined[at]) = ((uint)(merge >> 32), (int)merge);
    }

    private static int LowestRank(ReadOnlySpan<uint> ranks)
    {
        if (ranks.Length < 2 * Vector<uint>.Count)
        {
            int best = 0;
            for (int i = 1; i < ranks.Length; i++)
                if (ranks[i] < ranks[best]) best = i;
            return best;
        }
        ReadOnlySpan<Vector<uint>> wide = MemoryMarshal.Cast<uint, Vector<uint>>(ranks);
        var least = new Vector<uint>(ranks[^Vector<uint>.Count..]);
        foreach (Vector<uint> part in wide) least = Vector.Min(least, part);
        uint lowest = least[0];
        for (int i = 1; i < Vector<uint>.Count; i++) lowest = Math.Min(lowest, least[i]);
        return ranks.IndexOf(lowest);
    }

    private ulong Find(int left, int right) => _slots[Slot(Pair(left, right))].Merge;

    private int Slot(ulong pair)
    {
        int mask = _slots.Length - 1, slot = (int)((pair * 0x9E3779B97F4A7C15) >> 33) & mask;
        while (_slots[slot].Pair is var other && other != pair && other != Never) slot = (slot + 1) & mask;
        return slot;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
