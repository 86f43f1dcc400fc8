using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Merges of a stretch that fits in the caches: a linked list of symbols, and the lowest rank of every sixteen pairs, so that the lowest
/// of all is found by a few vector instructions and no branch depends on the text.
/// </summary>
internal readonly struct MergeWindow(MergeTable table)
{
    /// <summary>The most symbols of a stretch.</summary>
    public const int Most = 1024;

    private const int Block = 16;

    /// <summary>Joins the ids in place and returns how many are left at the start.</summary>
    /// <param name="ids">At most <see cref="Most"/>.</param>
    /// <param name="ends">Gets for each token that is left behind which symbol it ends; empty where nobody asks.</param>
    [SkipLocalsInit, MethodImpl(Hot.Path)]
    public int Merge(Span<int> ids, Span<int> ends)
    {
        Span<ushort> next = stackalloc ushort[Most], previous = stackalloc ushort[Most];
        Span<uint> ranks = stackalloc uint[Most], lowest = stackalloc uint[Most / Block];
        int blocks = (ids.Length + Block - 1) / Block;
        Begin(ids, next, previous, ranks[..(blocks * Block)], lowest = lowest[..blocks]);
        while (true)
        {
            uint rank = Least(lowest);
            if (rank == MergeTable.NoRank) break;
            int block = lowest.IndexOf(rank), at = block * Block + ranks.Slice(block * Block, Block).IndexOf(rank);
            int right = next[at], behind = next[right], before = previous[at];
            ids[at] = table.Merged(rank);
            ranks[right] = MergeTable.NoRank;
            ranks[at] = behind < ids.Length ? table.Rank(ids[at], ids[behind]) : MergeTable.NoRank;
            next[at] = (ushort)behind;
            if (behind < ids.Length) previous[behind] = (ushort)at;
            if (right / Block != block) Look(ranks, lowest, right / Block);
            if (at > 0)
            {
                ranks[before] = table.Rank(ids[before], ids[at]);
                if (before / Block != block) Look(ranks, lowest, before / Block);
            }
            Look(ranks, lowest, block);
        }
        int count = 0;
        for (int i = 0; i < ids.Length; i = next[i])
        {
            ids[count] = ids[i];
            if (!ends.IsEmpty) ends[count] = next[i];
            count++;
        }
        return count;
    }

    [MethodImpl(Hot.Path)]
    private void Begin(ReadOnlySpan<int> ids, Span<ushort> next, Span<ushort> previous, Span<uint> ranks, Span<uint> lowest)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            (next[i], previous[i]) = ((ushort)(i + 1), (ushort)Math.Max(0, i - 1));
            ranks[i] = i + 1 < ids.Length ? table.Rank(ids[i], ids[i + 1]) : MergeTable.NoRank;
        }
        ranks[ids.Length..].Fill(MergeTable.NoRank);
        for (int block = 0; block < lowest.Length; block++) Look(ranks, lowest, block);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Look(ReadOnlySpan<uint> ranks, Span<uint> lowest, int block)
    {
        ref uint first = ref MemoryMarshal.GetReference(ranks.Slice(block * Block, Block));
        lowest[block] = Least(Vector256.Min(Vector256.LoadUnsafe(ref first), Vector256.LoadUnsafe(ref first, Block / 2)));
    }

    /// <summary>The lowest of some values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Least(ReadOnlySpan<uint> values)
    {

        uint least = MergeTable.NoRank;
        int i = 0;
        if (values.Length >= Vector256<uint>.Count)
        {
            Vector256<uint> all = Vector256<uint>.AllBitsSet;
            for (; i + Vector256<uint>.Count <= values.Length; i += Vector256<uint>.Count)
                all = Vector256.Min(all, Vector256.Create(values.Slice(i, Vector256<uint>.Count)));
            least = Least(all);
        }
        for (; i < values.Length; i++) least = Math.Min(least, values[i]);
        return least;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Least(Vector256<uint> values)
    {
        Vector128<uint> four = Vector128.Min(values.GetLower(), values.GetUpper());
        four = Vector128.Min(four, Vector128.Shuffle(four, Vector128.Create(2u, 3, 0, 1)));
        return Vector128.Min(four, Vector128.Shuffle(four, Vector128.Create(1u, 0, 3, 2))).ToScalar();
    }
}
