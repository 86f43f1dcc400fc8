using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The queries of a unit over one part of the sequence: tile by tile, and within a tile four queries at a time. What four queries do not
/// all see is added for each of them alone, so that a query never meets a position behind its own.
/// </summary>
internal static unsafe class AttentionUnits<T> where T : IStored
{
    private const int Tile = AttentionTiles<T>.Tile, Group = Lanes.Count, Groups = Tile / Group;

    // From so many queries on a tile is widened to fp32 once for all of them, and the next one fetched.
    private const int Widened = 32;

    /// <summary>Sets sums to those of a part.</summary>
    [SkipLocalsInit]
    public static void Attend(AttentionJob* job, AttentionUnit* unit, int part, AttentionRoom room, PartSums sums)
    {
        Ask(job, unit, room.Asked);
        sums.Clear();
        int all = unit->Queries, first = room.Asked[0].First, end = room.Asked[all - 1].End;
        int* blocks = job->Blocks + (long)job->Slots[unit->Row] * job->BlocksPerSlot;
        // Where groups of the tile lie, and those of the next one.
        byte** keys = stackalloc byte*[2 * Groups];
        byte** values = stackalloc byte*[2 * Groups];
        bool widen = T.Size < sizeof(float) && all >= Widened, fetch = all >= Widened && !job->Kv.ValuesInKeys;
        int until = Math.Min(end, (part + 1) * AttentionKernel.Part);
        for (int start = Math.Max(part * AttentionKernel.Part, first / Tile * Tile); start < until; start += Tile)
        {
            int groups = Find(job, unit, blocks, start, end, keys, values);
            int ahead = fetch ? Find(job, unit, blocks, start + Tile, end, keys + Groups, values + Groups) : 0;
            if (job->Kv.ValuesInKeys) Turn(job, keys, groups, room.Values, values);
            if (widen)
            {
                Widen(keys, groups, (long)Group * job->Kv.HeadSize, room.Keys);
                if (!job->Kv.ValuesInKeys) Widen(values, groups, (long)Group * job->Kv.ValueStride, room.Values);
            }
            for (int query = 0; query < all; query += 4)
            {
                if (fetch) Fetch(job, keys + Groups, values + Groups, ahead, query, all);
                if (widen) Four<StoredF32, StoredF32>(job, query, Math.Min(4, all - query), start, keys, values, room, sums);
                else if (job->Kv.ValuesInKeys) Four<T, StoredF32>(job, query, Math.Min(4, all - query), start, keys, values, room, sums);
                else Four<T, T>(job, query, Math.Min(4, all - query), start, keys, values, room, sums);
            }
        }
    }

    private static void Ask(AttentionJob* job, AttentionUnit* unit, AttentionQuery* asked)
    {
        for (int row = unit->Row, i = 0; row < unit->Row + unit->Rows; row++)
            for (int head = unit->Head; head < unit->Head + unit->Heads; head++)
            {
                int position = job->Positions[row];
                float* at = job->Queries + ((long)row * job->Heads + head) * job->Kv.HeadSize;
                asked[i++] = new AttentionQuery { At = at, First = job->FirstSeen(position), End = position + 1 };
            }
        // The last one stands in for those that lack to whole fours.
        for (int i = unit->Queries; i < PartSums.Fours(unit->Queries); i++) asked[i] = asked[unit->Queries - 1];
    }

    // Where the groups of a tile lie; returns how many there are.
    private static int Find(AttentionJob* job, AttentionUnit* unit, int* blocks, int start, int end, byte** keys, byte** values)
    {
        int groups = (Math.Clamp(end - start, 0, Tile) + Group - 1) / Group;
        for (int g = 0, position = start; g < groups; g++, position += Group)
        {
            (int block, int offset) = (blocks[position / job->Kv.BlockSize], position % job->Kv.BlockSize);
            keys[g] = job->Kv.KeyGroup(block, unit->KvHead, offset);
            if (!job->Kv.ValuesInKeys) values[g] = job->Kv.ValueRow(block, unit->KvHead, offset);
        }
        return groups;
    }

    // Asks for the share of the next tile that four queries have of all. Blocks lie anywhere, so the processor does not foresee them.
    private static void Fetch(AttentionJob* job, byte** keys, byte** values, int groups, int query, int all)
    {
        (long key, long value) = ((long)Group * T.Size * job->Kv.HeadSize, (long)Group * T.Size * job->Kv.ValueStride);
        (long keyFrom, long keyTo) = (key * query / all / 64 * 64, key * Math.Min(query + 4, all) / all);
        (long valueFrom, long valueTo) = (value * query / all / 64 * 64, value * Math.Min(query + 4, all) / all);
        for (int g = 0; g < groups; g++)
        {
            for (long i = keyFrom; i < keyTo; i += 64) Ahead.Fetch64(keys[g] + i);
            for (long i = valueFrom; i < valueTo; i += 64) Ahead.Fetch64(values[g] + i);
        }
    }

    // Scores, exponents and weighted values of four queries with a tile.
    private static void Four<TKey, TValue>(
        AttentionJob* job, int query, int count, int start, byte** keys, byte** values, AttentionRoom room, PartSums sums)
        where TKey : IStored where TValue : IStored
    {
        AttentionQuery* asked = room.Asked + query;
        int low = Tile, high = 0, common = Tile;
        int* from = stackalloc int[4];
        int* to = stackalloc int[4];
        float* factors = stackalloc float[4];
        for (int i = 0; i < 4; i++)
        {
            (from[i], to[i]) = (Math.Clamp(asked[i].First - start, 0, Tile), Math.Clamp(asked[i].End - start, 0, Tile));
            if (from[i] < to[i]) (low, high) = (Math.Min(low, from[i]), Math.Max(high, to[i]));
            common = Math.Min(common, to[i]);
        }
        if (low >= high) return;
        (int firstGroup, int endGroup) = (low / Group, (high + Group - 1) / Group);
        var at = new FourRows(asked[0].At, asked[1].At, asked[2].At, asked[3].At);
        if (count == 1) AttentionTiles<TKey>.Score1(at.A, keys, firstGroup, endGroup, job->Kv.HeadSize, job->Scale, room.Scores);
        else AttentionTiles<TKey>.Score4(at, keys, firstGroup, endGroup, job->Kv.HeadSize, job->Scale, room.Scores);
        float* denominators = sums.Denominators + (long)query * Group, values4 = sums.Values + (long)query * job->Kv.ValueStride;
        AttentionSoftmax.Weigh(count == 1 ? 1 : 4, room.Scores, from, to, sums.Highest + query, denominators, factors);
        Add<TValue>(job, count, firstGroup * Group, common, to, values, room.Scores, factors, values4);
    }

    private static void Add<TValue>(
        AttentionJob* job, int count, int from, int common, int* to, byte** values, float* weights, float* factors, float* sums)
        where TValue : IStored
    {
        int stride = job->Kv.ValueStride;
        if (count == 1)
        {
            AttentionTiles<TValue>.Add1(weights, values, from, to[0], stride, sums, factors[0]);
            return;
        }
        AttentionTiles<TValue>.Add4(weights, values, from, common, stride, sums, factors);
        for (int i = 0; i < count; i++)
            if (to[i] > Math.Max(common, from))
                AttentionTiles<TValue>.Add1(weights + i * Tile, values, Math.Max(common, from), to[i], stride, sums + (long)i * stride, 1);
    }

    private static void Widen(byte** groups, int count, long values, float* to)
    {
        for (int g = 0; g < count; g++, to += values)
        {
            byte* from = groups[g];
            for (long i = 0; i < values; i += Group) T.Load(from + i * T.Size).Store(to + i);
            groups[g] = (byte*)to;
        }
    }

    // Values that are the first part of their keys, [D, 16] for each group, become rows of fp32.
    private static void Turn(AttentionJob* job, byte** keys, int groups, float* to, byte** values)
    {
        int width = job->Kv.ValueSize, stride = job->Kv.ValueStride;
        for (int g = 0; g < groups; g++, to += (long)Group * stride)
        {
            byte* from = keys[g];
            values[g] = (byte*)to;
            int column = 0;
            for (; column + 4 <= width; column += 4, from += 4 * Group * T.Size)
            {
                Vector512<float> a = T.Load(from), b = T.Load(from + Group * T.Size);
                Vector512<float> c = T.Load(from + 2 * Group * T.Size), d = T.Load(from + 3 * Group * T.Size);
                Turn4(a, b, c, d, to + column, stride);
            }
            for (; column < width; column++, from += Group * T.Size)
            {
                Vector512<float> a = T.Load(from);
                for (int i = 0; i < Group; i++) to[(long)i * stride + column] = a[i];
            }
        }
    }

    // Four columns of 16 positions: pairs of them side by side, then fours, each a row's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, long stride)
    {
        if (!Avx512F.IsSupported)
        {
            for (int i = 0; i < Group; i++) Vector128.Create(a[i], b[i], c[i], d[i]).Store(to + i * stride);
            return;
        }
        Vector512<double> ab = Avx512F.UnpackLow(a, b).AsDouble(), cd = Avx512F.UnpackLow(c, d).AsDouble();
        Vector512<double> abHigh = Avx512F.UnpackHigh(a, b).AsDouble(), cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
        Lay(Avx512F.UnpackLow(ab, cd).AsSingle(), to, stride);
        Lay(Avx512F.UnpackHigh(ab, cd).AsSingle(), to + stride, stride);
        Lay(Avx512F.UnpackLow(abHigh, cdHigh).AsSingle(), to + 2 * stride, stride);
        Lay(Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle(), to + 3 * stride, stride);
    }

    // Rows 4 apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Lay(Vector512<float> rows, float* to, long stride)
    {
        rows.GetLower().GetLower().Store(to);
        rows.GetLower().GetUpper().Store(to + 4 * stride);
        rows.GetUpper().GetLower().Store(to + 8 * stride);
        rows.GetUpper().GetUpper().Store(to + 12 * stride);
    }
}
