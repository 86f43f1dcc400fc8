using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Reference;

/// <summary>Each kernel as its formula reads, fp32, one value after the other. See <see cref="IKernels"/> for shapes.</summary>
internal sealed class ReferenceKernels : IKernels
{
    public void Gather(Weight table, ReadOnlySpan<int> ids, Span<float> output)
    {
        for (int t = 0; t < ids.Length; t++)
            for (int h = 0; h < table.Columns; h++) output[t * table.Columns + h] = table[ids[t], h];
    }

    public void RmsNorm(ReadOnlySpan<float> x, Weight scale, float epsilon, Span<float> y)
    {
        int width = scale.Columns;
        for (int start = 0; start < x.Length; start += width)
        {
            float squares = 0;
            for (int i = 0; i < width; i++) squares += x[start + i] * x[start + i];
            float factor = 1 / MathF.Sqrt(squares / width + epsilon);
            for (int i = 0; i < width; i++) y[start + i] = x[start + i] * factor * scale[0, i];
        }
    }

    public void Linear(ReadOnlySpan<float> x, Weight weight, Span<float> y)
    {
        for (int t = 0; t < x.Length / weight.Columns; t++)
            for (int n = 0; n < weight.Rows; n++) y[t * weight.Rows + n] = Dot(x.Slice(t * weight.Columns, weight.Columns), weight, n);
    }

    public void Rope(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, int headSize)
    {
        int half = headSize / 2, rows = cos.Length / half;
        int width = rows == 0 ? 0 : x.Length / rows;
        for (int t = 0; t < rows; t++)
            for (int head = t * width; head < (t + 1) * width; head += headSize)
                for (int i = 0; i < half; i++)
                {
                    (float a, float b, float c, float s) = (x[head + i], x[head + half + i], cos[t * half + i], sin[t * half + i]);
                    (x[head + i], x[head + half + i]) = (a * c - b * s, b * c + a * s);
                }
    }

    public unsafe void StoreKv(KvBlocks kv, KvRows rows, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        for (int t = 0; t < rows.Count; t++)
            for (int head = 0; head < kv.Heads; head++)
                for (int d = 0; d < kv.HeadSize; d++)
                {
                    int from = (t * kv.Heads + head) * kv.HeadSize + d;
                    (int block, int offset) = (rows.BlocksOf(t)[rows.Positions[t] / kv.BlockSize], rows.Positions[t] % kv.BlockSize);
                    int lane = offset % KvBlocks.Group;
                    Write(kv.KeyGroup(block, head, offset - lane), kv.Type, d * KvBlocks.Group + lane, keys[from]);
                    Write(kv.ValueRow(block, head, offset), kv.Type, d, values[from]);
                }
    }

    public void Attend(KvBlocks kv, KvRows rows, HeadGroups groups, ReadOnlySpan<float> queries, Span<float> output)
    {
        int heads = rows.Count == 0 ? 0 : queries.Length / rows.Count / kv.HeadSize;
        for (int t = 0; t < rows.Count; t++)
            for (int head = 0; head < heads; head++)
            {
                int at = (t * heads + head) * kv.HeadSize;
                AttendHead(kv, rows.BlocksOf(t), rows.Positions[t], groups.KvHeadOf(head),
                    queries.Slice(at, kv.HeadSize), output.Slice(at, kv.HeadSize));
            }
    }

    public void Route(Span<float> logits, int experts, bool normalize, Span<int> ids, Span<float> weights)
    {
        int rows = logits.Length / experts, topK = rows == 0 ? 0 : ids.Length / rows;
        for (int t = 0; t < rows; t++)
        {
            Span<float> p = logits.Slice(t * experts, experts);
            Softmax(p);
            float sum = 0;
            for (int k = 0; k < topK; k++)
            {
                int best = -1;
                for (int e = 0; e < experts; e++)
                    if (!ids.Slice(t * topK, k).Contains(e) && (best < 0 || p[e] > p[best])) best = e;
                (ids[t * topK + k], weights[t * topK + k]) = (best, p[best]);
                sum += p[best];
            }
            if (!normalize) continue;
            for (int k = 0; k < topK; k++) weights[t * topK + k] /= sum;
        }
    }

    public void SiluMultiply(Span<float> gate, ReadOnlySpan<float> up)
    {
        for (int i = 0; i < gate.Length; i++) gate[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
    }

    public void Add(Span<float> x, ReadOnlySpan<float> y)
    {
        for (int i = 0; i < x.Length; i++) x[i] += y[i];
    }

    public void AddBias(Span<float> x, Weight bias)
    {
        for (int i = 0; i < x.Length; i++) x[i] += bias[0, i % bias.Columns];
    }

    public void AddGated(Span<float> x, ReadOnlySpan<float> gates, ReadOnlySpan<float> y)
    {
        for (int i = 0; i < x.Length; i++) x[i] += 1 / (1 + MathF.Exp(-gates[i / (x.Length / gates.Length)])) * y[i];
    }

    public void Experts(ExpertWeights experts, ExpertRows rows, ReadOnlySpan<float> hidden, Span<float> activation, Span<float> partial)
    {
        partial.Clear();
        foreach (int e in rows.Active)
        {
            (Weight gate, Weight up, Weight down) = (experts.Gate[e], experts.Up[e], experts.Down[e]);
            float[] upped = new float[gate.Rows];
            for (int pair = rows.Offsets[e]; pair < rows.Offsets[e + 1]; pair++)
            {
                ReadOnlySpan<float> h = hidden.Slice(rows.Rows[pair] * gate.Columns, gate.Columns);
                Span<float> act = activation.Slice(pair * gate.Rows, gate.Rows);
                Span<float> sum = partial.Slice(rows.Rows[pair] * down.Rows, down.Rows);
                Linear(h, gate, act);
                Linear(h, up, upped);
                SiluMultiply(act, upped);
                for (int n = 0; n < down.Rows; n++) sum[n] += rows.Weights[pair] * Dot(act, down, n);
            }
        }
    }

    public bool AllFinite(ReadOnlySpan<float> x)
    {
        foreach (float value in x)
            if (!float.IsFinite(value)) return false;
        return true;
    }

    private static unsafe void AttendHead(
        KvBlocks kv, ReadOnlySpan<int> blocks, int position, int head, ReadOnlySpan<float> q, Span<float> output)
    {
        float[] scores = new float[position + 1];
        for (int s = 0; s <= position; s++)
        {
            int offset = s % kv.BlockSize, lane = s % KvBlocks.Group;
            byte* group = kv.KeyGroup(blocks[s / kv.BlockSize], head, offset - lane);
            for (int d = 0; d < kv.HeadSize; d++) scores[s] += q[d] * Elements.Read(group, kv.Type, d * KvBlocks.Group + lane);
            scores[s] /= MathF.Sqrt(kv.HeadSize);
        }
        Softmax(scores);
        output.Clear();
        for (int s = 0; s <= position; s++)
            for (int d = 0; d < kv.HeadSize; d++)
                output[d] += scores[s] * Elements.Read(kv.ValueRow(blocks[s / kv.BlockSize], head, s % kv.BlockSize), kv.Type, d);
    }

    private static void Softmax(Span<float> x)
    {
        float max = float.NegativeInfinity, sum = 0;
        foreach (float value in x) max = MathF.Max(max, value);
        foreach (ref float value in x) sum += value = MathF.Exp(value - max);
        foreach (ref float value in x) value /= sum;
    }

    private static float Dot(ReadOnlySpan<float> x, Weight weight, int row)
    {
        float sum = 0;
        for (int k = 0; k < x.Length; k++) sum += x[k] * weight[row, k];
        return sum;
    }

    private static unsafe void Write(byte* data, ElementType type, int index, float value)
    {
        if (type == ElementType.F32) ((float*)data)[index] = value;
        else ((ushort*)data)[index] = Elements.ToBf16(value);
    }
}
