using System.Buffers;
using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// The merges of a BPE vocabulary. Of all neighbours in a piece, the pair of lowest rank is joined first, the leftmost of several,
/// until no pair has a merge (Sennrich et al. 2016).
/// </summary>
internal sealed class BytePairMerges(IReadOnlyList<(int Left, int Right, int Merged)> merges)
{
    private const int None = -1;
    /// <summary>Up to here the pair is found by looking at all of them: quadratic, but nothing has to be kept.</summary>
    internal const int ShortPiece = 32;
    /// <summary>Of a window, what lies nearer to its end may be other than in the whole piece.</summary>
    private const int Margin = 64;

    private readonly MergeTable _table = new(merges);

    /// <summary>Joins the ids of a piece in place and returns how many are left at its start.</summary>
    public int Merge(Span<int> ids)
    {
        if (ids.Length <= ShortPiece) return MergeShort(ids);
        return ids.Length > MergeWindow.Most ? MergeLong(ids, MergeWindow.Most) : new MergeWindow(_table).Merge(ids, []);
    }

    [MethodImpl(Hot.Path)]
    internal int MergeShort(Span<int> ids)
    {
        // Behind each id the rank of its pair with the next one.
        Span<uint> ranks = stackalloc uint[ShortPiece];
        int count = ids.Length;
        for (int i = 0; i + 1 < count; i++) ranks[i] = _table.Rank(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best]) best = i;
            if (ranks[best] == MergeTable.NoRank) break;
            ids[best] = _table.Merged(ranks[best]);
            count--;
            for (int i = best + 1; i < count; i++) (ids[i], ranks[i - 1]) = (ids[i + 1], ranks[i]);
            if (best > 0) ranks[best - 1] = _table.Rank(ids[best - 1], ids[best]);
            if (best + 1 < count) ranks[best] = _table.Rank(ids[best], ids[best + 1]);
        }
        return count;
    }

    /// <summary>
    /// The same for any length, window by window. A row of tokens is the outcome for a piece if every two neighbours of it are the outcome
    /// for their own symbols: the first merge across a place between tokens would else be one of these two alone. So windows can be
    /// joined where the last token that was settled is found again as the next window's first.
    /// </summary>
    /// <remarks>Where that place is not found soon, as only merges made for it could bring about, the whole piece goes to the
    /// heap.</remarks>
    [MethodImpl(Hot.Path)]
    internal int MergeLong(Span<int> ids, int window)
    {
        int[] buffer = ArrayPool<int>.Shared.Rent(2 * ids.Length);
        Span<int> settled = buffer.AsSpan(0, ids.Length), ends = buffer.AsSpan(ids.Length, ids.Length);
        Span<int> work = stackalloc int[MergeWindow.Most], places = stackalloc int[MergeWindow.Most];
        var merger = new MergeWindow(_table);
        int margin = Math.Min(Margin, window / 4), count = 0, start = 0, back = 1, reached = 0;
        long left = 16 + 4L * ids.Length / (window - margin);
        while (true)
        {
            Span<int> part = work[..Math.Min(window, ids.Length - start)];
            ids.Slice(start, part.Length).CopyTo(part);
            int keep = merger.Merge(part, places);
            bool last = start + part.Length == ids.Length, joins = count == 0 || Ends(part[0], start + places[0], settled, ends, count);
            while (!last && keep > 0 && places[keep - 1] > part.Length - margin) keep--;
            if (--left < 0 || (joins && !last && keep < 2) || (!joins && count <= back))
            {
                ArrayPool<int>.Shared.Return(buffer);
                return MergeHeap(ids);
            }
            for (int i = count == 0 ? 0 : 1; joins && i < keep; i++) (settled[count], ends[count++]) = (part[i], start + places[i]);
            if (joins && last) break;
            if (!joins)
            {
                count -= back;
                back *= 2;
            }
            else if (ends[count - 1] > reached)
            {
                (reached, back) = (ends[count - 1], 1);
            }
            start = count > 1 ? ends[count - 2] : 0;
        }
        settled[..count].CopyTo(ids);
        ArrayPool<int>.Shared.Return(buffer);
        return count;
    }

    private static bool Ends(int id, int end, ReadOnlySpan<int> settled, ReadOnlySpan<int> ends, int count) =>
        settled[count - 1] == id && ends[count - 1] == end;

    /// <summary>The same in n log n: a linked list of symbols, and a heap of (rank, place) that may be stale.</summary>
    [MethodImpl(Hot.Path)]
    internal int MergeHeap(Span<int> ids)
    {
        int[] buffer = ArrayPool<int>.Shared.Rent(2 * ids.Length);
        Span<int> next = buffer.AsSpan(0, ids.Length), previous = buffer.AsSpan(ids.Length, ids.Length);
        var first = new List<(int, ulong)>();
        for (int i = 0; i < ids.Length; i++)
        {
            (next[i], previous[i]) = (i + 1 < ids.Length ? i + 1 : None, i - 1);
            if (i + 1 < ids.Length && _table.Rank(ids[i], ids[i + 1]) is var rank and not MergeTable.NoRank)
                first.Add((i, Priority(rank, i)));
        }
        var heap = new PriorityQueue<int, ulong>(first);
        while (heap.TryDequeue(out int at, out ulong priority))
        {
            int right = next[at];
            // Stale where a symbol has been joined into another, or where either has changed since.
            if (ids[at] == None || right == None) continue;
            uint rank = _table.Rank(ids[at], ids[right]);
            if (rank != priority >> 32) continue;
            ids[at] = _table.Merged(rank);
            ids[right] = None;
            next[at] = next[right];
            if (next[at] != None)
            {
                previous[next[at]] = at;
                Push(heap, at, _table.Rank(ids[at], ids[next[at]]));
            }
            if (previous[at] != None) Push(heap, previous[at], _table.Rank(ids[previous[at]], ids[at]));
        }
        int count = 0;
        for (int i = 0; i != None; i = next[i]) ids[count++] = ids[i];
        ArrayPool<int>.Shared.Return(buffer);
        return count;
    }

    private static void Push(PriorityQueue<int, ulong> heap, int at, uint rank)
    {
        if (rank != MergeTable.NoRank) heap.Enqueue(at, Priority(rank, at));
    }

    private static ulong Priority(uint rank, int at) => ((ulong)rank << 32) | (uint)at;
}
