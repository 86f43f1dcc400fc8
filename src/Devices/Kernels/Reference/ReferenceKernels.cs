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

    public void Linear(ReadOnlySpan<float> x, Product a, Product b, Product c = default)
    {
        Linear(x, a.Weight, a.Y);
        Linear(x, b.Weight, b.Y);
        if (c.Weight.Rows > 0) Linear(x, c.Weight, c.Y);
    }

    public void HeadLinear(ReadOnlySpan<float> x, int xStride, HeadMatrices matrices, Span<float> y, int yStride)
    {
        for (int at = 0; at < x.Length / xStride; at++)
            for (int o = 0; o < matrices.Outputs; o++)
            {
                int row = at % matrices.Heads * matrices.Stride + matrices.First;
                float sum = 0;
                for (int i = 0; i < matrices.Inputs; i++)
                    sum += x[at * xStride + i] * (matrices.Transposed ? matrices.All[row + i, o] : matrices.All[row + o, i]);
                y[at * yStride + o] = sum;
            }
    }

    public void Rope(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, RopeHeads heads)
    {
        int half = heads.Width / 2, rows = cos.Length / half;
        int width = rows == 0 ? 0 : x.Length / rows;
        for (int t = 0; t < rows; t++)
            for (int head = t * width; head < (t + 1) * width; head += heads.Size)
                for (int i = 0; i < half; i++)
                {
                    int first = head + heads.First + (heads.Neighbours ? 2 * i : i), second = heads.Neighbours ? first + 1 : first + half;
                    (float a, float b, float c, float s) = (x[first], x[second], cos[t * half + i], sin[t * half + i]);
                    (x[first], x[second]) = (a * c - b * s, b * c + a * s);
                }
    }

    public unsafe void StoreKv(KvBlocks kv, KvRows rows, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        for (int t = 0; t < rows.Count; t++)
            for (int head = 0; head < kv.Heads; head++)
            {
                (int block, int offset) = (rows.BlocksOf(t)[rows.Positions[t] / kv.BlockSize], rows.Positions[t] % kv.BlockSize);
                int lane = offset % KvBlocks.Group, at = t * kv.Heads + head;
                for (int d = 0; d < kv.HeadSize; d++)
                    Write(kv.KeyGroup(block, head, offset - lane), kv.Type, d * KvBlocks.Group + lane, keys[at * kv.HeadSize + d]);
                for (int d = 0; d < (kv.ValuesInKeys ? 0 : kv.ValueSize); d++)
                    Write(kv.ValueRow(block, head, offset), kv.Type, d, values[at * kv.ValueSize + d]);
            }
    }

    public void Attend(KvBlocks kv, KvRows rows, Attending how, ReadOnlySpan<float> queries, Span<float> output)
    {
        int heads = rows.Count == 0 ? 0 : queries.Length / rows.Count / kv.HeadSize;
        for (int t = 0; t < rows.Count; t++)
            for (int head = 0; head < heads; head++)
                AttendHead(kv, rows.BlocksOf(t), rows.Positions[t], head, how,
                    queries.Slice((t * heads + head) * kv.HeadSize, kv.HeadSize),
                    output.Slice((t * heads + head) * kv.ValueSize, kv.ValueSize));
    }

    public void Route(Span<float> logits, RouteRule rule, Span<int> ids, Span<float> weights)
    {
        int rows = logits.Length / rule.Experts, topK = rows == 0 ? 0 : ids.Length / rows;
        for (int t = 0; t < rows; t++)
        {
            Span<float> p = logits.Slice(t * rule.Experts, rule.Experts), chosen = weights.Slice(t * topK, topK);
            if (!rule.Sigmoid) Softmax(p);
            else foreach (ref float value in p) value = 1 / (1 + MathF.Exp(-value));
            float[] choice = p.ToArray();
            if (rule.Correction is { } correction)
                for (int e = 0; e < rule.Experts; e++) choice[e] += correction[0, e];
            if (rule.Groups > 1) LeaveGroups(choice, rule);
            TopK(choice, ids.Slice(t * topK, topK));
            float sum = 0;
            for (int k = 0; k < topK; k++) sum += chosen[k] = p[ids[t * topK + k]];
            foreach (ref float weight in chosen) weight = weight / (rule.Normalize ? sum : 1) * rule.Scale;
        }
    }

    private static void LeaveGroups(float[] choice, RouteRule rule)
    {
        int size = rule.Experts / rule.Groups;
        float[] worth = [.. Enumerable.Range(0, rule.Groups).Select(g =>
            choice.Skip(g * size).Take(size).OrderDescending().Take(rule.GroupsByTwo ? 2 : 1).Sum())];
        int[] kept = new int[rule.KeptGroups];
        TopK(worth, kept);
        for (int e = 0; e < rule.Experts; e++)
            if (!kept.Contains(e / size)) choice[e] = float.NegativeInfinity;
    }

    private static void TopK(ReadOnlySpan<float> values, Span<int> ids)
    {
        for (int k = 0; k < ids.Length; k++)
        {
            int best = -1;
            for (int e = 0; e < values.Length; e++)
                if (!ids[..k].Contains(e) && (best < 0 || values[e] > values[best])) best = e;
            ids[k] = best;
        }
    }

    public void SiluMultiply(Span<float> gate, ReadOnlySpan<float> up)
    {
        for (int i = 0; i < gate.Length; i++) gate[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
    }

    public void Clamp(Span<float> x, float limit)
    {
        foreach (ref float value in x) value = MathF.Max(-limit, MathF.Min(limit, value));
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
                Span<float> act = activation.Slice(pair * experts.Room, gate.Rows);
                Span<float> sum = partial.Slice(rows.Rows[pair] * down.Rows, down.Rows);
                Linear(h, gate, act);
                Linear(h, up, upped);
                if (experts.Biased is { } biased) LimitedGlu(act, upped, biased, e);
                else SiluMultiply(act, upped);
                for (int n = 0; n < down.Rows; n++)
                    sum[n] += rows.Weights[pair] * (Dot(act, down, n) + (experts.Biased?.Down[e][0, n] ?? 0));
            }
        }
    }

    public bool AllFinite(ReadOnlySpan<float> x)
    {
        foreach (float value in x)
            if (!float.IsFinite(value)) return false;
        return true;
    }

    private static void LimitedGlu(Span<float> gate, ReadOnlySpan<float> up, BiasedExperts biased, int expert)
    {
        for (int i = 0; i < gate.Length; i++)
        {
            float g = MathF.Min(gate[i] + biased.Gate[expert][0, i], biased.Limit);
            float u = Math.Clamp(up[i] + biased.Up[expert][0, i], -biased.Limit, biased.Limit);
            gate[i] = (u + 1) * g / (1 + MathF.Exp(-biased.Alpha * g));
        }
    }

    private static unsafe void AttendHead(
        KvBlocks kv, ReadOnlySpan<int> blocks, int position, int queryHead, Attending how, ReadOnlySpan<float> q, Span<float> output)
    {
        int head = how.Groups.KvHeadOf(queryHead), from = how.Window == 0 ? 0 : Math.Max(0, position + 1 - how.Window);
        float[] scores = new float[position + 1 - from + 1]; // the last one is the sink
        scores[^1] = how.Sinks is { } sinks ? sinks[0, queryHead] : float.NegativeInfinity;
        for (int s = from; s <= position; s++)
        {
            float score = 0;
            for (int d = 0; d < kv.HeadSize; d++) score += q[d] * Key(blocks, s, d);
            scores[s - from] = score * how.Scale;
        }
        Softmax(scores);
        output.Clear();
        for (int s = from; s <= position; s++)
            for (int d = 0; d < output.Length; d++)
                output[d] += scores[s - from] * (kv.ValuesInKeys ? Key(blocks, s, d)
                    : Elements.Read(kv.ValueRow(blocks[s / kv.BlockSize], head, s % kv.BlockSize), kv.Type, d));

        float Key(ReadOnlySpan<int> blocks, int s, int d)
        {
            int offset = s % kv.BlockSize, lane = s % KvBlocks.Group;
            return Elements.Read(kv.KeyGroup(blocks[s / kv.BlockSize], head, offset - lane), kv.Type, d * KvBlocks.Group + lane);
        }
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
        if (weight.Type is ElementType.Int8 or ElementType.Int4) return IntegerDot(x, weight, row);
        // Packed weights are for products that round rows.
        bool round = weight.Type == ElementType.PackedBf16;
        float sum = 0;
        for (int k = 0; k < x.Length; k++)
            sum += (round ? Elements.FromBf16(Elements.ToBf16(x[k])) : x[k]) * weight[row, k];
        return sum;
    }

    private static float IntegerDot(ReadOnlySpan<float> x, Weight weight, int row)
    {
        float sum = 0;
        Span<int> values = stackalloc int[Elements.Group];
        for (int first = 0; first < x.Length; first += Elements.Group)
        {
            int count = Math.Min(Elements.Group, x.Length - first), products = 0;
            float scale = Quantised.Round(x.Slice(first, count), values);
            for (int i = 0; i < count; i++) products += values[i] * Quantised.Integer(weight, row, first + i);
            sum += products * (Quantised.Scale(weight, row, first) * scale);
        }
        return sum;
    }

    private static unsafe void Write(byte* data, ElementType type, int index, float value)
    {
        if (type == ElementType.F32) ((float*)data)[index] = value;
        else ((ushort*)data)[index] = Elements.ToBf16(value);
    }
}
