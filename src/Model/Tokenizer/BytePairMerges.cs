using System.Buffers;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// The merges of a byte-level BPE vocabulary. Of all neighbours in a piece, the pair of lowest rank is joined first, the leftmost of
/// several, until no pair has a merge (Sennrich et al. 2016).
/// </summary>
internal sealed class BytePairMerges
{
    private const int None = -1;
    /// <summary>Up to here the pair is found by looking at all of them: quadratic, but without a heap to keep.</summary>
    internal const int ShortPiece = 48;

    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> _merges;

    /// <summary>Makes the table; the rank of a pair is its place in the list, and a later entry of a pair replaces an earlier.</summary>
    public BytePairMerges(IReadOnlyList<(int Left, int Right, int Merged)> merges)
    {
        _merges = new(merges.Count);
        for (int rank = 0; rank < merges.Count; rank++) _merges[(merges[rank].Left, merges[rank].Right)] = (rank, merges[rank].Merged);
    }

    /// <summary>Joins the ids of a piece in place and returns how many are left at its start.</summary>
    public int Merge(Span<int> ids) => ids.Length <= ShortPiece ? MergeShort(ids) : MergeLong(ids);

    internal int MergeShort(Span<int> ids)
    {
        Span<int> ranks = stackalloc int[ShortPiece];
        int count = ids.Length;
        for (int i = 0; i + 1 < count; i++) ranks[i] = Rank(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best]) best = i;
            if (ranks[best] == int.MaxValue) break;
            ids[best] = _merges[(ids[best], ids[best + 1])].Id;
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            if (best + 2 < count) ranks[(best + 2)..(count - 1)].CopyTo(ranks[(best + 1)..]);
            count--;
            if (best > 0) ranks[best - 1] = Rank(ids[best - 1], ids[best]);
            if (best + 1 < count) ranks[best] = Rank(ids[best], ids[best + 1]);
        }
        return count;
    }

    /// <summary>The same for any length in n log n: a linked list of symbols, and a heap of (rank, place) that may be stale.</summary>
    internal int MergeLong(Span<int> ids)
    {
        int[] buffer = ArrayPool<int>.Shared.Rent(2 * ids.Length);
        Span<int> next = buffer.AsSpan(0, ids.Length), previous = buffer.AsSpan(ids.Length, ids.Length);
        var heap = new PriorityQueue<int, long>(ids.Length);
        for (int i = 0; i < ids.Length; i++) (next[i], previous[i]) = (i + 1 < ids.Length ? i + 1 : None, i - 1);
        for (int i = 0; i + 1 < ids.Length; i++) Push(heap, i, ids[i], ids[i + 1]);
        while (heap.TryDequeue(out int at, out long priority))
        {
            int right = next[at];
            // Stale where a symbol has been joined into another, or where either has changed since.
            if (ids[at] == None || right == None || Rank(ids[at], ids[right]) != (int)(priority >> 32)) continue;
            ids[at] = _merges[(ids[at], ids[right])].Id;
            ids[right] = None;
            next[at] = next[right];
            if (next[at] != None)
            {
                previous[next[at]] = at;
                Push(heap, at, ids[at], ids[next[at]]);
            }
            if (previous[at] != None) Push(heap, previous[at], ids[previous[at]], ids[at]);
        }
        int count = 0;
        for (int i = 0; i != None; i = next[i]) ids[count++] = ids[i];
        ArrayPool<int>.Shared.Return(buffer);
        return count;
    }

    private void Push(PriorityQueue<int, long> heap, int at, int left, int right)
    {
        int rank = Rank(left, right);
        if (rank != int.MaxValue) heap.Enqueue(at, ((long)rank << 32) | (uint)at);
    }

    private int Rank(int left, int right) => _merges.TryGetValue((left, right), out (int Rank, int Id) merge) ? merge.Rank : int.MaxValue;
}
