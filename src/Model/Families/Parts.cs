using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>Parts of a layer that families share, from tensors named as in public checkpoints.</summary>
internal static class Parts
{
    public const string Embedding = "model.embed_tokens.weight", FinalNorm = "model.norm.weight", Head = "lm_head.weight";

    /// <summary>
    /// Grouped-query attention with this shard's heads, biases where the model has them, and norms of the heads where the family does.
    /// </summary>
    public static Attention Attention(WeightReader weights, ModelConfig c, ShardSpec spec, string at, bool normHeads = false)
    {
        TensorSplit split = spec.Split;
        return new Attention(
            query: Project($"{at}.q_proj", c.Heads, split.Heads),
            key: Project($"{at}.k_proj", c.KvHeads, split.KvHeads),
            value: Project($"{at}.v_proj", c.KvHeads, split.KvHeads),
            output: weights.Inputs($"{at}.o_proj.weight", c.HiddenSize, c.Heads * c.HeadDim, split.Heads.Times(c.HeadDim)),
            c.HeadDim, split.Groups,
            normHeads ? new HeadNorms(Norm("q_norm"), Norm("k_norm"), (float)c.RmsNormEps) : null);

        Weight Norm(string name) => weights.Vector($"{at}.{name}.weight", c.HeadDim);

        Projection Project(string name, int heads, Part own) => new(
            weights.Outputs($"{name}.weight", heads * c.HeadDim, c.HiddenSize, own.Times(c.HeadDim)),
            c.QkvBias ? weights.VectorPart($"{name}.bias", heads * c.HeadDim, own.Times(c.HeadDim)) : null);
    }

    /// <summary>A layer with a norm before each of its halves.</summary>
    public static DecoderLayer Layer(
        WeightReader weights, ModelConfig c, LayerIndex layer, Attention attention, IFeedForward feedForward) =>
        new(layer, (float)c.RmsNormEps, weights.Vector($"{Name(layer)}.input_layernorm.weight", c.HiddenSize), attention,
            weights.Vector($"{Name(layer)}.post_attention_layernorm.weight", c.HiddenSize), feedForward);

    /// <summary>What the names of a layer's tensors begin with.</summary>
    public static string Name(LayerIndex layer) => $"model.layers.{layer.Value}";

    /// <summary>A feed-forward of <paramref name="inner"/> values on every row, of which this shard has a part.</summary>
    public static DenseMlp Dense(WeightReader weights, ModelConfig c, string at, int inner, Part part) => new(
        gate: weights.Outputs($"{at}.gate_proj.weight", inner, c.HiddenSize, part),
        up: weights.Outputs($"{at}.up_proj.weight", inner, c.HiddenSize, part),
        down: weights.Inputs($"{at}.down_proj.weight", c.HiddenSize, inner, part));

    /// <summary>The router and this shard's experts.</summary>
    public static MoeMlp Routed(WeightReader weights, ModelConfig c, ShardSpec spec, string at, SharedExpert? shared = null)
    {
        Weight router = weights.Matrix($"{at}.gate.weight", c.Experts, c.HiddenSize);
        var experts = new ExpertWeights(
            All(weights, spec, e => $"{at}.experts.{e.Value}.gate_proj.weight", c.MoeIntermediateSize, c.HiddenSize),
            All(weights, spec, e => $"{at}.experts.{e.Value}.up_proj.weight", c.MoeIntermediateSize, c.HiddenSize),
            All(weights, spec, e => $"{at}.experts.{e.Value}.down_proj.weight", c.HiddenSize, c.MoeIntermediateSize));
        return new MoeMlp(router, experts, c.ExpertsPerToken, c.NormTopkProb, shared);
    }

    private static Weight[] All(WeightReader weights, ShardSpec spec, Func<ExpertId, string> name, int outputs, int inputs)
    {
        var all = new Weight[spec.Experts.Count];
        for (int i = 0; i < all.Length; i++) all[i] = weights.MatrixLike(i > 0 ? all[0] : null, name(spec.Experts[i]), outputs, inputs);
        return all;
    }
}
