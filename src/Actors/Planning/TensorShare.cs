using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Actors.Planning;

/// <summary>
/// What one of T tensor ranks holds of whatever is split among them, pure. Query heads divide evenly. A rank holds the key-value heads
/// that its query heads read, so that ranks that read the same one both hold it. The vocabulary and the width of a dense feed-forward
/// split as evenly as they come. Norms, routers and shared experts are on every rank; routed experts are not split but placed whole.
/// </summary>
/// <param name="FirstHead">The first query head.</param>
/// <param name="Heads">How many.</param>
/// <param name="FirstKvHead">The first key-value head.</param>
/// <param name="KvHeads">How many.</param>
/// <param name="Vocabulary">Rows of the embedding and the head.</param>
/// <param name="Dense">Columns of a dense feed-forward.</param>
public sealed record TensorShare(int FirstHead, int Heads, int FirstKvHead, int KvHeads, int Vocabulary, int Dense)
{
    /// <summary>The share of a tensor rank; <paramref name="tensor"/> divides the model's query heads.</summary>
    public static TensorShare Of(ModelConfig model, int tensor, int index)
    {
        int heads = model.Heads / tensor, first = index * heads, readers = model.Heads / model.KvHeads;
        int firstKv = first / readers, lastKv = (first + heads - 1) / readers;
        return new TensorShare(first, heads, firstKv, lastKv - firstKv + 1, Part(model.VocabSize), Part(model.IntermediateSize));

        int Part(int whole) => (whole / tensor) + (index < whole % tensor ? 1 : 0);
    }

    /// <summary>The model as the rank sees it: the shapes of its weights and of its KV cache.</summary>
    public ModelConfig Part(ModelConfig model) => model with
    {
        Heads = Heads, KvHeads = KvHeads, VocabSize = Vocabulary, IntermediateSize = Dense,
    };

    /// <summary>
    /// Bytes that each of T tensor ranks sends in one step over a stage's layers, fp32. An AllReduce of n bytes sends 2 (T-1)/T n from each
    /// rank, and a gather (T-1)/T n (Patarasuk and Yuan 2009). Attention and a dense feed-forward end with an AllReduce of the rows [T,
    /// H]; a MoE layer gathers the rows that its combine leaves scattered. The embedding is one more AllReduce, the head a gather of the
    /// logits.
    /// </summary>
    /// <param name="model">The whole model.</param>
    /// <param name="split">The layers of each stage.</param>
    /// <param name="stage">The stage.</param>
    /// <param name="tensor">T.</param>
    /// <param name="rows">Rows of the replica in the step.</param>
    /// <param name="logits">Rows of it that have logits.</param>
    /// <returns>Bytes, and messages: each AllReduce has 2 (T-1), each gather T-1.</returns>
    public static (double Bytes, double Messages) Traffic(ModelConfig model, LayerSplit split, int stage, int tensor, double rows,
        double logits)
    {
        double others = tensor - 1, rowBytes = rows * model.HiddenSize * sizeof(float);
        int moe = split.Of(stage).Count(layer => model.IsMoeLayer(layer.Value)), dense = split.Counts[stage] - moe;
        int reduces = split.Counts[stage] + dense + (stage == 0 ? 1 : 0), gathers = moe;
        bool head = stage == split.Stages - 1;
        double bytes = (((2.0 * reduces) + gathers) * rowBytes) + (head ? logits * model.VocabSize * sizeof(float) : 0);
        return (others / tensor * bytes, others * ((2 * reduces) + gathers + (head ? 1 : 0)));
    }
}
