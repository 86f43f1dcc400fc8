using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Checks lengths and hands addresses to the static kernels. See <see cref="IKernels"/> for shapes.</summary>
internal sealed unsafe class CpuKernels(WorkerPool pool) : IKernels
{
    public void Gather(Weight table, ReadOnlySpan<int> ids, Span<float> output)
    {
        Want(output.Length, (long)ids.Length * table.Columns, "output");
        fixed (float* to = output) RowKernels.Gather(table, ids, to);
    }

    public void RmsNorm(ReadOnlySpan<float> x, Weight scale, float epsilon, Span<float> y)
    {
        Plain(scale, "scale");
        int rows = Rows(x.Length, scale.Columns, "x");
        Want(y.Length, x.Length, "y");
        fixed (float* from = x, to = y) NormKernel.Run(pool, from, rows, scale, epsilon, to);
    }

    public void Linear(ReadOnlySpan<float> x, Weight weight, Span<float> y)
    {
        int rows = Rows(x.Length, weight.Columns, "x");
        Want(y.Length, (long)rows * weight.Rows, "y");
        if (rows == 0 || weight.Rows == 0) return;
        fixed (float* from = x, to = y) LinearKernel.Run(pool, from, rows, weight, to);
    }

    public void Linear(ReadOnlySpan<float> x, Product a, Product b, Product c = default)
    {
        int rows = Rows(x.Length, a.Weight.Columns, "x"), count = c.Weight.Rows > 0 ? 3 : 2;
        if (b.Weight.Columns != a.Weight.Columns || (count > 2 && c.Weight.Columns != a.Weight.Columns))
            throw new ArgumentException($"weights must all have {a.Weight.Columns} columns, got {b.Weight.Columns} and {c.Weight.Columns}");
        Want(a.Y.Length, (long)rows * a.Weight.Rows, "a.Y");
        Want(b.Y.Length, (long)rows * b.Weight.Rows, "b.Y");
        Want(c.Y.Length, (long)rows * c.Weight.Rows, "c.Y");
        if (rows == 0 || a.Weight.Rows == 0 || b.Weight.Rows == 0) return;
        LinearKernel.Part* parts = stackalloc LinearKernel.Part[3];
        fixed (float* from = x, ya = a.Y, yb = b.Y, yc = c.Y)
        {
            parts[0] = new LinearKernel.Part { Weight = a.Weight, Y = ya };
            parts[1] = new LinearKernel.Part { Weight = b.Weight, Y = yb };
            parts[2] = new LinearKernel.Part { Weight = c.Weight, Y = yc };
            LinearKernel.Run(pool, from, rows, parts, count);
        }
    }

    public void HeadLinear(ReadOnlySpan<float> x, int xStride, HeadMatrices matrices, Span<float> y, int yStride)
    {
        int rows = Rows(x.Length, matrices.Heads * xStride, "x");
        Want(y.Length, (long)rows * matrices.Heads * yStride, "y");
        if (matrices.Inputs > xStride || matrices.Outputs > yStride)
            throw new ArgumentException($"{matrices} takes {matrices.Inputs} of {xStride} values to {matrices.Outputs} of {yStride}");
        fixed (float* from = x, to = y) HeadLinearKernel.Run(pool, from, xStride, rows, matrices, to, yStride);
    }

    public void Rope(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, RopeHeads heads)
    {
        int rows = Rows(cos.Length, heads.Width / 2, "cos");
        if (rows == 0) return;
        int width = x.Length / rows;
        Want(sin.Length, cos.Length, "sin");
        Want(x.Length, (long)rows * width / heads.Size * heads.Size, "x");
        fixed (float* values = x, c = cos, s = sin) RowKernels.Rope(pool, values, rows, width, c, s, heads);
    }

    public void StoreKv(KvBlocks kv, KvRows rows, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        Want(keys.Length, (long)rows.Count * kv.Heads * kv.HeadSize, "keys");
        Want(values.Length, kv.ValuesInKeys ? 0 : (long)rows.Count * kv.Heads * kv.ValueSize, "values");
        fixed (float* k = keys, v = values) RowKernels.StoreKv(pool, kv, rows, k, v);
    }

    public void Attend(KvBlocks kv, KvRows rows, Attending how, ReadOnlySpan<float> queries, Span<float> output)
    {
        if (rows.Count == 0) return;
        int heads = queries.Length / rows.Count / kv.HeadSize;
        Want(queries.Length, (long)rows.Count * heads * kv.HeadSize, "queries");
        Want(output.Length, (long)rows.Count * heads * kv.ValueSize, "output");
        if (how.Groups.KvHeadOf(heads - 1) != kv.Heads - 1)
            throw new ArgumentException(
                $"{heads} query heads in {how.Groups} read {how.Groups.KvHeadOf(heads - 1) + 1} KV heads, got {kv.Heads}");
        if (how.Sinks is { } sinks) Want(sinks.Columns, heads, "sinks");
        fixed (float* q = queries, to = output) AttentionKernel.Run(pool, kv, rows, heads, how, q, to);
    }

    public void Route(Span<float> logits, RouteRule rule, Span<int> ids, Span<float> weights)
    {
        int rows = Rows(logits.Length, rule.Experts, "logits");
        if (rows == 0) return;
        int topK = ids.Length / rows;
        Want(weights.Length, (long)rows * topK, "weights");
        Want(ids.Length, (long)rows * topK, "ids");
        fixed (float* values = logits, to = weights)
        fixed (int* chosen = ids)
            RouterKernel.Run(pool, values, rows, rule, topK, chosen, to);
    }

    public void SiluMultiply(Span<float> gate, ReadOnlySpan<float> up)
    {
        Want(up.Length, gate.Length, "up");
        fixed (float* g = gate, u = up) RowKernels.SiluMultiply(pool, g, u, gate.Length);
    }

    public void Clamp(Span<float> x, float limit)
    {
        fixed (float* values = x) RowKernels.Clamp(values, x.Length, limit);
    }

    public void Add(Span<float> x, ReadOnlySpan<float> y)
    {
        Want(y.Length, x.Length, "y");
        fixed (float* to = x, from = y) RowKernels.Add(to, from, x.Length);
    }

    public void AddBias(Span<float> x, Weight bias)
    {
        Plain(bias, "bias");
        int rows = Rows(x.Length, bias.Columns, "x");
        fixed (float* to = x) RowKernels.AddBias(to, rows, bias);
    }

    public void AddGated(Span<float> x, ReadOnlySpan<float> gates, ReadOnlySpan<float> y)
    {
        Want(y.Length, x.Length, "y");
        if (gates.Length == 0 && x.Length == 0) return;
        int width = Rows(x.Length, gates.Length, "x");
        fixed (float* to = x, gate = gates, from = y) RowKernels.AddGated(to, gate, from, gates.Length, width);
    }

    public void Experts(ExpertWeights experts, ExpertRows rows, ReadOnlySpan<float> hidden, Span<float> activation, Span<float> partial)
    {
        Want(partial.Length, hidden.Length, "partial");
        partial.Clear();
        if (rows.Pairs == 0) return;
        int count = Rows(hidden.Length, experts.Gate[0].Columns, "hidden");
        long room = (long)rows.Pairs * experts.Room;
        if (activation.Length < room) throw new ArgumentException($"activation must have room for {room} values, got {activation.Length}");
        fixed (float* h = hidden, a = activation, p = partial)
        {
            if (experts.Biased is null) ExpertsKernel.Run(pool, experts, rows, count, h, a, p);
            else BiasedExpertsKernel.Run(pool, experts, rows, h, a, p);
        }
    }

    public bool AllFinite(ReadOnlySpan<float> x)
    {
        fixed (float* values = x) return RowKernels.AllFinite(values, x.Length);
    }

    private static void Plain(Weight vector, string name)
    {
        if (!vector.Type.IsPlain()) throw new ArgumentException($"{name} must be F32, BF16 or F16, got {vector.Type}");
    }

    private static int Rows(int length, int width, string name) => width > 0 && length % width == 0
        ? length / width
        : throw new ArgumentException($"{name} must be whole rows of {width}, got {length} values");

    private static void Want(int length, long wanted, string name)
    {
        if (length != wanted) throw new ArgumentException($"{name} must have {wanted} values, got {length}");
    }
}
