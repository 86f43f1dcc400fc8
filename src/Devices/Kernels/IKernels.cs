using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels;

/// <summary>
/// The kernels a decoder needs. Activations are fp32, row-major; the count of rows (T) follows from a span's length. Weights are read as
/// stored. Every output value is computed in one fixed order that depends neither on the other rows of the call, nor on how a prompt is
/// cut, nor on the number of threads.
/// </summary>
public interface IKernels
{
    /// <summary>Rows of a table: output[t] = table[ids[t]]. Table: [V, H]; output: [T, H].</summary>
    void Gather(Weight table, ReadOnlySpan<int> ids, Span<float> output);

    /// <summary>
    /// y = x / sqrt(mean(x^2) + epsilon) * scale, per row of the scale's width. x, y: [T, H] (or [T x heads, D] for the norm of heads);
    /// scale: [1, H]. In place if y is x. Formula: Zhang and Sennrich 2019.
    /// </summary>
    void RmsNorm(ReadOnlySpan<float> x, Weight scale, float epsilon, Span<float> y);

    /// <summary>y[t, n] = sum over k of x[t, k] weight[n, k]. x: [T, K]; weight: [N, K]; y: [T, N].</summary>
    void Linear(ReadOnlySpan<float> x, Weight weight, Span<float> y);

    /// <summary>The same with two or three weights at once. c may have none.</summary>
    void Linear(ReadOnlySpan<float> x, Product a, Product b, Product c = default);

    /// <summary>
    /// Products of the heads of rows with matrices of their own: y[t, h] = M(h) x[t, h], or M(h) transposed. What x and y have of a head
    /// begins every <paramref name="xStride"/> and <paramref name="yStride"/> values; the rest of y stays as it is.
    /// </summary>
    void HeadLinear(ReadOnlySpan<float> x, int xStride, HeadMatrices matrices, Span<float> y, int yStride);

    /// <summary>
    /// Rotary positions, in place: the halves of each head turn by the row's angles. x: [T, heads, D]; cos, sin: [T, D / 2].
    /// Formula: Su et al. 2021, halves paired as in GPT-NeoX.
    /// </summary>
    void Rope(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, int headSize) =>
        Rope(x, cos, sin, new RopeHeads(headSize, 0, headSize));

    /// <summary>The same where only a part of each head turns, or where neighbours are paired. cos, sin: [T, width / 2].</summary>
    void Rope(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, RopeHeads heads);

    /// <summary>
    /// Writes keys and values of the rows into their blocks. keys, values: [T, KvHeads, D]; no values where they are parts of the keys.
    /// </summary>
    void StoreKv(KvBlocks kv, KvRows rows, ReadOnlySpan<float> keys, ReadOnlySpan<float> values);

    /// <summary>
    /// Causal attention of each row over positions 0 to its own, read from the blocks; query heads share key/value heads in groups.
    /// queries, output: [T, Heads, D]. Scores are divided by the root of D.
    /// </summary>
    void Attend(KvBlocks kv, KvRows rows, HeadGroups groups, ReadOnlySpan<float> queries, Span<float> output) =>
        Attend(kv, rows, new Attending(groups, 1 / MathF.Sqrt(kv.HeadSize)), queries, output);

    /// <summary>The same with another scale, a window or sinks. queries: [T, Heads, D]; output: [T, Heads, width of a value].</summary>
    void Attend(KvBlocks kv, KvRows rows, Attending how, ReadOnlySpan<float> queries, Span<float> output);

    /// <summary>
    /// Softmax over the router's logits, then the K largest probabilities per row in falling order, ties to the lower id; scaled to sum to
    /// 1 if asked. logits: [T, E], overwritten with the probabilities; ids, weights: [T, K].
    /// </summary>
    void Route(Span<float> logits, int experts, bool normalize, Span<int> ids, Span<float> weights) =>
        Route(logits, new RouteRule(experts) { Normalize = normalize }, ids, weights);

    /// <summary>The same by any rule; weights come in the order in which experts were chosen.</summary>
    void Route(Span<float> logits, RouteRule rule, Span<int> ids, Span<float> weights);

    /// <summary>gate = silu(gate) * up, elementwise, silu(x) = x / (1 + exp(-x)).</summary>
    void SiluMultiply(Span<float> gate, ReadOnlySpan<float> up);

    /// <summary>Every value brought into [-limit, limit].</summary>
    void Clamp(Span<float> x, float limit);

    /// <summary>x += y, elementwise.</summary>
    void Add(Span<float> x, ReadOnlySpan<float> y);

    /// <summary>x[t] += bias, per row of the bias's width. x: [T, N]; bias: [1, N].</summary>
    void AddBias(Span<float> x, Weight bias);

    /// <summary>x[t] += y[t] / (1 + exp(-gates[t])), the gate's sigmoid first. x, y: [T, H]; gates: [T].</summary>
    void AddGated(Span<float> x, ReadOnlySpan<float> gates, ReadOnlySpan<float> y);

    /// <summary>
    /// The feed-forward of routed experts: partial[n] = sum over the local experts e of row n, ascending, of weight x down(silu(gate(h)) *
    /// up(h)), or as <see cref="ExpertWeights.Biased"/> says. hidden, partial: [N, H]; rows without a local expert become 0. activation:
    /// room for [pairs, <see cref="ExpertWeights.Room"/>].
    /// </summary>
    void Experts(ExpertWeights experts, ExpertRows rows, ReadOnlySpan<float> hidden, Span<float> activation, Span<float> partial);

    /// <summary>Whether no value is infinite or NaN.</summary>
    bool AllFinite(ReadOnlySpan<float> x);
}
