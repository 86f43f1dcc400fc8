using Troupe.Model.Checkpoints;

namespace Troupe.Cli.Measures;

/// <summary>What decoding one token has to read of a model's weights: each bound of speed by memory follows from it.</summary>
internal static class ActiveWeights
{
    /// <summary>
    /// Values read for one token: attention with its norms or biases, the router, K experts and the shared one (or the dense feed-forward),
    /// the output head, and one row of the embedding.
    /// </summary>
    public static long Values(ModelConfig model)
    {
        long h = model.HiddenSize, queries = (long)model.Heads * model.HeadDim, keys = (long)model.KvHeads * model.HeadDim;
        long attention = (h * queries * 2) + (h * keys * 2) + (model.QkvBias ? queries + (2 * keys) : 2L * model.HeadDim);
        long sum = ((long)model.VocabSize * h) + h + h;
        for (int layer = 0; layer < model.Layers; layer++)
        {
            long feedForward = model.IsMoeLayer(layer)
                ? (h * model.Experts) + (3L * h * model.MoeIntermediateSize * model.ExpertsPerToken)
                    + (model.SharedExpertSize > 0 ? (3L * h * model.SharedExpertSize) + h : 0)
                : 3L * h * model.IntermediateSize;
            sum += attention + feedForward + (2 * h);
        }
        return sum;
    }

    /// <summary>The same in bytes, by the type that config.json names; bf16 where it names none.</summary>
    public static long Bytes(ModelConfig model) => Values(model) * ValueBytes(model);

    /// <summary>Bytes of a routed expert; 0 without.</summary>
    public static long BytesOfExpert(ModelConfig model) => 3L * model.HiddenSize * model.MoeIntermediateSize * ValueBytes(model);

    /// <summary>What is read besides the routed experts, for one token or for several at once.</summary>
    public static long BytesWithoutExperts(ModelConfig model) => Bytes(model)
        - (Enumerable.Range(0, model.Layers).Count(model.IsMoeLayer) * model.ExpertsPerToken * BytesOfExpert(model));

    private static int ValueBytes(ModelConfig model) => model.DType is "float32" ? 4 : 2;
}
