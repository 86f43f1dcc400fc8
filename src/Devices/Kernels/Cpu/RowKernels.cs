using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Kernels that move or turn rows without sums: gather, rope, SiLU times up, adds, KV store. See <see cref="IKernels"/>.</summary>
internal static unsafe class RowKernels
{
    private struct Job
    {
        public float* X, Y, Cos, Sin;
        public int Width, Half, Size, First;
    }

    private struct StoreJob
    {
        public KvBlocks Kv;
        public float* Keys, Values;
        public int* Positions, Slots, Blocks;
        public int BlocksPerSlot;
    }

    /// <summary>output[t] = table[ids[t]].</summary>
    public static void Gather(Weight table, ReadOnlySpan<int> ids, float* output)
    {
        int width = table.Columns;
        for (int t = 0; t < ids.Length; t++)
        {
            if ((uint)ids[t] >= (uint)table.Rows)
                throw new ArgumentOutOfRangeException(nameof(ids), $"token id must be in [0, {table.Rows}), got {ids[t]}");
            float* to = output + (long)t * width;
            for (int i = 0; i < width; i++) to[i] = table[ids[t], i];
        }
    }

    /// <summary>x: [rows, width of whole heads]; cos, sin: [rows, half of what turns].</summary>
    public static void Rope(WorkerPool pool, float* x, int rows, int width, float* cos, float* sin, RopeHeads heads)
    {
        var job = new Job
        {
            X = x, Cos = cos, Sin = sin, Width = width, Half = heads.Width / 2, Size = heads.Size, First = heads.First,
        };
        pool.For(heads.Neighbours ? &RopeNeighbours : &RopeRows, &job, rows, width);
    }

    /// <summary>sum += weight * y, fused.</summary>
    public static void AddWeighted(float weight, float* y, float* sum, int count)
    {
        Vector512<float> w = Vector512.Create(weight);
        int i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            Vector512.FusedMultiplyAdd(w, Vector512.Load(y + i), Vector512.Load(sum + i)).Store(sum + i);
        for (; i < count; i++) sum[i] = MathF.FusedMultiplyAdd(weight, y[i], sum[i]);
    }

    /// <summary>gate = silu(gate) * up.</summary>
    public static void SiluMultiply(WorkerPool pool, float* gate, float* up, int count)
    {
        var job = new Job { X = gate, Y = up, Width = count };
        pool.For(&SiluVectors, &job, (count + Lanes.Count - 1) / Lanes.Count, 4 * Lanes.Count);
    }

    /// <summary>x in [-limit, limit].</summary>
    public static void Clamp(float* x, int count, float limit)
    {
        Vector512<float> top = Vector512.Create(limit);
        int i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count) Vector512.Max(-top, Vector512.Min(top, Vector512.Load(x + i))).Store(x + i);
        for (; i < count; i++) x[i] = MathF.Max(-limit, MathF.Min(limit, x[i]));
    }

    /// <summary>x += y.</summary>
    public static void Add(float* x, float* y, int count)
    {
        int i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count) (Vector512.Load(x + i) + Vector512.Load(y + i)).Store(x + i);
        for (; i < count; i++) x[i] += y[i];
    }

    /// <summary>x[t] += bias. x: [rows, width of the bias].</summary>
    public static void AddBias(float* x, int rows, Weight bias)
    {
        if (bias.Type == ElementType.BF16) AddBias<StoredBf16>(x, rows, bias);
        else if (bias.Type == ElementType.F16) AddBias<StoredF16>(x, rows, bias);
        else AddBias<StoredF32>(x, rows, bias);
    }

    /// <summary>x[t] += y[t] / (1 + exp(-gates[t])). x, y: [rows, width].</summary>
    public static void AddGated(float* x, float* gates, float* y, int rows, int width)
    {
        for (int t = 0; t < rows; t++, x += width, y += width)
        {
            float share = 1 / (1 + MathF.Exp(-gates[t]));
            int i = 0;
            for (; i + Lanes.Count <= width; i += Lanes.Count)
                (Vector512.Load(x + i) + Vector512.Create(share) * Vector512.Load(y + i)).Store(x + i);
            for (; i < width; i++) x[i] += share * y[i];
        }
    }

    /// <summary>Whether no value is infinite or NaN: x * 0 is 0 for all others.</summary>
    public static bool AllFinite(float* x, int count)
    {
        Vector512<float> zeros = default;
        int i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count) zeros = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), default, zeros);
        zeros = Vector512.FusedMultiplyAdd(Lanes.LoadTail(x + i, count - i), default, zeros);
        return Vector512.EqualsAll(zeros, default);
    }

    /// <summary>Writes keys and values, [T, KvHeads, width] each, into the blocks of their positions.</summary>
    public static void StoreKv(WorkerPool pool, KvBlocks kv, KvRows rows, float* keys, float* values)
    {
        // Threads take addresses as they are, so a place outside of a sequence's blocks is refused before.
        for (int t = 0; t < rows.Count; t++) _ = rows.BlocksOf(t)[rows.Positions[t] / kv.BlockSize];
        fixed (int* positions = rows.Positions, slots = rows.Slots, blocks = rows.Blocks)
        {
            var job = new StoreJob
            {
                Kv = kv, Keys = keys, Values = values, Positions = positions, Slots = slots, Blocks = blocks,
                BlocksPerSlot = rows.BlocksPerSlot,
            };
            pool.For(&StoreRows, &job, rows.Count, kv.Heads * (kv.HeadSize + (kv.ValuesInKeys ? 0 : kv.ValueSize)) * 2L);
        }
    }

    private static void StoreRows(void* data, int first, int end)
    {
        ref StoreJob job = ref *(StoreJob*)data;
        KvBlocks kv = job.Kv;
        for (int t = first; t < end; t++)
        {
            int block = job.Blocks[(long)job.Slots[t] * job.BlocksPerSlot + job.Positions[t] / kv.BlockSize];
            int offset = job.Positions[t] % kv.BlockSize, lane = offset % KvBlocks.Group;
            for (int head = 0; head < kv.Heads; head++)
            {
                long at = (long)t * kv.Heads + head;
                byte* group = kv.KeyGroup(block, head, offset - lane) + lane * kv.Type.Size();
                Write(job.Keys + at * kv.HeadSize, kv.HeadSize, kv.Type, group, KvBlocks.Group);
                if (!kv.ValuesInKeys) Write(job.Values + at * kv.ValueSize, kv.ValueSize, kv.Type, kv.ValueRow(block, head, offset), 1);
            }
        }
    }

    private static void Write(float* from, int count, ElementType type, byte* to, int stride)
    {
        if (type == ElementType.F32)
            for (int i = 0; i < count; i++) ((float*)to)[(long)i * stride] = from[i];
        else
            for (int i = 0; i < count; i++) ((ushort*)to)[(long)i * stride] = Elements.ToBf16(from[i]);
    }

    private static void AddBias<T>(float* x, int rows, Weight bias) where T : IStored
    {
        for (int t = 0; t < rows; t++, x += bias.Columns)
        {
            int i = 0;
            for (; i + Lanes.Count <= bias.Columns; i += Lanes.Count)
                (Vector512.Load(x + i) + T.Load(bias.Data + (long)i * T.Size)).Store(x + i);
            for (; i < bias.Columns; i++) x[i] += T.One(bias.Data + (long)i * T.Size);
        }
    }

    private static void RopeRows(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        for (int row = first; row < end; row++)
            for (int head = job.First; head < job.Width; head += job.Size)
                RopeHead(job.X + (long)row * job.Width + head, job.Half, job.Cos + (long)row * job.Half, job.Sin + (long)row * job.Half);
    }

    private static void RopeNeighbours(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        for (int row = first; row < end; row++)
        {
            float* cos = job.Cos + (long)row * job.Half, sin = job.Sin + (long)row * job.Half;
            for (int head = job.First; head < job.Width; head += job.Size)
            {
                float* x = job.X + (long)row * job.Width + head;
                for (int i = 0; i < job.Half; i++)
                {
                    (float a, float b) = (x[2 * i], x[2 * i + 1]);
                    (x[2 * i], x[2 * i + 1]) = (a * cos[i] - b * sin[i], b * cos[i] + a * sin[i]);
                }
            }
        }
    }

    private static void RopeHead(float* x, int half, float* cos, float* sin)
    {
        int i = 0;
        for (; i + Lanes.Count <= half; i += Lanes.Count)
        {
            Vector512<float> a = Vector512.Load(x + i), b = Vector512.Load(x + half + i);
            Vector512<float> c = Vector512.Load(cos + i), s = Vector512.Load(sin + i);
            (a * c - b * s).Store(x + i);
            (b * c + a * s).Store(x + half + i);
        }
        if (i < half) RopeTail(x + i, half, cos + i, sin + i, half - i);
    }

    private static void RopeTail(float* x, int half, float* cos, float* sin, int count)
    {
        Vector512<float> a = Lanes.LoadTail(x, count), b = Lanes.LoadTail(x + half, count);
        Vector512<float> c = Lanes.LoadTail(cos, count), s = Lanes.LoadTail(sin, count);
        Lanes.StoreTail(a * c - b * s, x, count);
        Lanes.StoreTail(b * c + a * s, x + half, count);
    }

    private static void SiluVectors(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        for (int vector = first; vector < end; vector++)
        {
            int i = vector * Lanes.Count;
            SiluMultiply(job.X + i, job.Y + i, Math.Min(Lanes.Count, job.Width - i));
        }
    }

    /// <summary>The same on this thread, for a few values.</summary>
    public static void SiluMultiply(float* gate, float* up, int count)
    {
        int i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            (VectorMath.Silu(Vector512.Load(gate + i)) * Vector512.Load(up + i)).Store(gate + i);
        if (i == count) return;
        Vector512<float> tail = VectorMath.Silu(Lanes.LoadTail(gate + i, count - i)) * Lanes.LoadTail(up + i, count - i);
        Lanes.StoreTail(tail, gate + i, count - i);
    }
}
