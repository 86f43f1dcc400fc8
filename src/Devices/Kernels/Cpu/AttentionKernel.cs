using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Causal attention over KV blocks with a running softmax (Milakov and Gimelshein 2018) in tiles of 64 positions. Tiles start at multiples
/// of 64 whatever the prompt's chunks are, so that the order of sums is fixed. Four query heads share each load of a key or value. A sink
/// is what the running softmax starts from; positions before a window count as infinitely far.
/// </summary>
internal static unsafe class AttentionKernel
{
    private const int Tile = 64, Heads4 = 4;

    private struct Job
    {
        public float* Queries, Output;
        public int* Positions, Slots, Blocks;
        public KvBlocks Kv;
        public HeadGroups Groups;
        public Weight Sinks;
        public float Scale;
        public int BlocksPerSlot, Heads, Window, Parts;
        public bool HasSinks;
    }

    // What four heads have summed so far.
    private ref struct Running
    {
        public FourRows Queries;
        public float* Scores;
        public float* Sums;
        public float* Max;
        public float* Denominator;
        public float* Factor;
    }

    /// <summary>queries: [T, heads, D]; output: [T, heads, width of a value].</summary>
    public static void Run(WorkerPool pool, KvBlocks kv, KvRows rows, int heads, Attending how, float* queries, float* output)
    {
        fixed (int* positions = rows.Positions, slots = rows.Slots, blocks = rows.Blocks)
        {
            var job = new Job
            {
                Queries = queries, Output = output, Positions = positions, Slots = slots, Blocks = blocks, Kv = kv,
                BlocksPerSlot = rows.BlocksPerSlot, Heads = heads, Groups = how.Groups, Scale = how.Scale, Window = how.Window,
                Sinks = how.Sinks ?? default, HasSinks = how.Sinks is not null,
                // Where all heads read one latent vector, they are what threads can share.
                Parts = kv.ValuesInKeys ? (how.Groups.Size + Heads4 - 1) / Heads4 : 1,
            };
            long total = 0;
            foreach (int position in rows.Positions) total += (how.Window == 0 ? position : Math.Min(position, how.Window)) + Tile;
            long work = total / Math.Max(rows.Count, 1) * 2 * kv.HeadSize * Math.Max(how.Groups.Size / job.Parts, Heads4);
            pool.For(kv.Type == ElementType.F32 ? &Rows<StoredF32> : &Rows<StoredBf16>, &job, rows.Count * kv.Heads * job.Parts, work);
        }
    }

    private static void Rows<T>(void* data, int first, int end) where T : IStored
    {
        ref Job job = ref *(Job*)data;
        int size = job.Kv.HeadSize, width = job.Kv.ValueSize;
        float* room = stackalloc float[Heads4 * (Tile + job.Kv.ValueStride + Lanes.Count + 2)];
        var run = new Running { Scores = room, Sums = room + Heads4 * Tile };
        run.Denominator = run.Sums + Heads4 * job.Kv.ValueStride;
        run.Max = run.Denominator + Heads4 * Lanes.Count;
        run.Factor = run.Max + Heads4;
        for (int item = first; item < end; item++)
        {
            (int group, int part) = (item / job.Parts, item % job.Parts);
            (int row, int kvHead) = (group / job.Kv.Heads, group % job.Kv.Heads);
            int ends = Math.Min(job.Heads, job.Groups.FirstOf(kvHead + 1)), first4 = job.Groups.FirstOf(kvHead);
            if (job.Parts > 1) (first4, ends) = (first4 + part * Heads4, Math.Min(ends, first4 + (part + 1) * Heads4));
            for (int head = first4; head < ends; head += Heads4)
            {
                int count = Math.Min(Heads4, ends - head);
                long at = (long)row * job.Heads + head;
                float* q = job.Queries + at * size;
                // Fewer than four heads are left: the last one stands in for the missing ones.
                run.Queries = new FourRows(q, q + Math.Min(1, count - 1) * size, q + Math.Min(2, count - 1) * size, q + (count - 1) * size);
                Begin(ref job, ref run, head, count);
                Attend<T>(ref job, ref run, kvHead, job.Blocks + job.Slots[row] * job.BlocksPerSlot, job.Positions[row] + 1);
                for (int h = 0; h < count; h++) Finish(ref run, h, job.Kv.ValueStride, width, job.Output + (at + h) * width);
            }
        }
    }

    // Nothing is summed yet; a sink is a score of which only the exponent counts.
    private static void Begin(ref Job job, ref Running run, int head, int count)
    {
        new Span<float>(run.Sums, Heads4 * job.Kv.ValueStride).Clear();
        new Span<float>(run.Denominator, Heads4 * Lanes.Count).Clear();
        new Span<float>(run.Max, Heads4).Fill(float.NegativeInfinity);
        if (!job.HasSinks) return;
        for (int h = 0; h < count; h++)
        {
            run.Max[h] = job.Sinks[0, head + h];
            run.Denominator[h * Lanes.Count] = 1;
        }
    }

    private static void Attend<T>(ref Job job, ref Running run, int kvHead, int* blocks, int length) where T : IStored
    {
        int first = job.Window == 0 ? 0 : Math.Max(0, length - job.Window);
        byte** keys = stackalloc byte*[Tile / Lanes.Count];
        byte** values = stackalloc byte*[Tile / Lanes.Count];
        for (int start = first / Tile * Tile; start < length; start += Tile)
        {
            int count = Math.Min(Tile, length - start), groups = (count + Lanes.Count - 1) / Lanes.Count;
            for (int g = 0; g < groups; g++)
            {
                int position = start + g * Lanes.Count, offset = position % job.Kv.BlockSize;
                keys[g] = job.Kv.KeyGroup(blocks[position / job.Kv.BlockSize], kvHead, offset);
                if (!job.Kv.ValuesInKeys) values[g] = job.Kv.ValueRow(blocks[position / job.Kv.BlockSize], kvHead, offset);
                Score<T>(ref run, keys[g], job.Kv.HeadSize, job.Scale, g);
            }
            for (int h = 0; h < Heads4; h++) Exponents(ref run, h, Math.Max(0, first - start), count, groups);
            if (job.Kv.ValuesInKeys) AddFromKeys<T>(ref run, keys, count, job.Kv.ValueSize, job.Kv.ValueStride);
            else for (int d = 0; d < job.Kv.ValueStride; d += Lanes.Count) AddValues<T>(ref run, values, count, job.Kv.ValueStride, d);
        }
    }

    // Scores of four heads with the 16 positions of a key group: [D, 16].
    private static void Score<T>(ref Running run, byte* keys, int size, float scale, int group) where T : IStored
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        float* qa = run.Queries.A, qb = run.Queries.B, qc = run.Queries.C, qd = run.Queries.D;
        for (int i = 0; i < size; i++, keys += Lanes.Count * T.Size)
        {
            Vector512<float> k = T.Load(keys);
            a = Vector512.FusedMultiplyAdd(k, Vector512.Create(qa[i]), a);
            b = Vector512.FusedMultiplyAdd(k, Vector512.Create(qb[i]), b);
            c = Vector512.FusedMultiplyAdd(k, Vector512.Create(qc[i]), c);
            d = Vector512.FusedMultiplyAdd(k, Vector512.Create(qd[i]), d);
        }
        float* scores = run.Scores + group * Lanes.Count;
        (a * scale).Store(scores);
        (b * scale).Store(scores + Tile);
        (c * scale).Store(scores + 2 * Tile);
        (d * scale).Store(scores + 3 * Tile);
    }

    // Scores become exp(score - max so far); what was summed before shrinks by the factor that the new maximum asks for.
    private static void Exponents(ref Running run, int head, int skip, int count, int groups)
    {
        float* scores = run.Scores + head * Tile;
        for (int i = 0; i < skip; i++) scores[i] = float.NegativeInfinity;
        for (int i = count; i < groups * Lanes.Count; i++) scores[i] = float.NegativeInfinity;
        Vector512<float> top = Vector512.Create(run.Max[head]);
        for (int g = 0; g < groups; g++) top = Vector512.Max(top, Vector512.Load(scores + g * Lanes.Count));
        float max = run.Max[head];
        for (int lane = 0; lane < Lanes.Count; lane++) max = MathF.Max(max, top[lane]);
        float factor = VectorMath.Exp(Vector512.Create(run.Max[head] - max))[0];
        Vector512<float> sum = Vector512.Load(run.Denominator + head * Lanes.Count) * factor;
        for (int g = 0; g < groups; g++)
        {
            Vector512<float> p = VectorMath.Exp(Vector512.Load(scores + g * Lanes.Count) - Vector512.Create(max));
            p.Store(scores + g * Lanes.Count);
            sum += p;
        }
        sum.Store(run.Denominator + head * Lanes.Count);
        (run.Max[head], run.Factor[head]) = (max, factor);
    }

    // 16 columns of the weighted sum of values, four heads.
    private static void AddValues<T>(ref Running run, byte** groups, int count, int stride, int column) where T : IStored
    {
        float* sums = run.Sums + column;
        Vector512<float> a = Vector512.Load(sums) * run.Factor[0], b = Vector512.Load(sums + stride) * run.Factor[1];
        Vector512<float> c = Vector512.Load(sums + 2 * stride) * run.Factor[2], d = Vector512.Load(sums + 3 * stride) * run.Factor[3];
        for (float* p = run.Scores, end = p + count; p < end; groups++)
        {
            byte* row = *groups + column * T.Size;
            for (float* last = p + Math.Min(Lanes.Count, end - p); p < last; p++, row += stride * T.Size)
            {
                Vector512<float> v = T.Load(row);
                a = Vector512.FusedMultiplyAdd(v, Vector512.Create(p[0]), a);
                b = Vector512.FusedMultiplyAdd(v, Vector512.Create(p[Tile]), b);
                c = Vector512.FusedMultiplyAdd(v, Vector512.Create(p[2 * Tile]), c);
                d = Vector512.FusedMultiplyAdd(v, Vector512.Create(p[3 * Tile]), d);
            }
        }
        a.Store(sums);
        b.Store(sums + stride);
        c.Store(sums + 2 * stride);
        d.Store(sums + 3 * stride);
    }

    // The same where a value is the first part of its key: 16 positions of a column lie together, so that each column is a sum over lanes.
    private static void AddFromKeys<T>(ref Running run, byte** groups, int count, int size, int stride) where T : IStored
    {
        int whole = count / Lanes.Count, rest = count % Lanes.Count;
        // What nobody wrote yet may be anything, and 0 times NaN is NaN.
        Vector512<float> mask = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(rest)).AsSingle();
        Vector128<float> factors = Vector128.Load(run.Factor);
        for (int column = 0; column < size; column++)
        {
            Vector512<float> a = default, b = default, c = default, d = default;
            float* p = run.Scores;
            for (int g = 0; g < whole + (rest > 0 ? 1 : 0); g++, p += Lanes.Count)
            {
                Vector512<float> v = T.Load(groups[g] + (long)column * Lanes.Count * T.Size);
                if (g == whole) v &= mask;
                a = Vector512.FusedMultiplyAdd(v, Vector512.Load(p), a);
                b = Vector512.FusedMultiplyAdd(v, Vector512.Load(p + Tile), b);
                c = Vector512.FusedMultiplyAdd(v, Vector512.Load(p + 2 * Tile), c);
                d = Vector512.FusedMultiplyAdd(v, Vector512.Load(p + 3 * Tile), d);
            }
            float* sums = run.Sums + column;
            Vector128<float> before = Vector128.Create(sums[0], sums[stride], sums[2 * stride], sums[3 * stride]);
            Vector128<float> after = before * factors + Lanes.Sum4(a, b, c, d);
            (sums[0], sums[stride], sums[2 * stride], sums[3 * stride]) = (after[0], after[1], after[2], after[3]);
        }
    }

    private static void Finish(ref Running run, int head, int stride, int size, float* output)
    {
        float inverse = 1 / Lanes.Sum(Vector512.Load(run.Denominator + head * Lanes.Count));
        float* sums = run.Sums + head * stride;
        for (int i = 0; i < size; i++) output[i] = sums[i] * inverse;
    }
}
