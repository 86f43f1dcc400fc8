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

    /// <summary>A projection of the hidden state; <paramref name="at"/>.bias is there where <paramref name="bias"/> says so.</summary>
    public static Projection Project(WeightReader weights, ModelConfig c, string at, int outputs, bool bias = false) => new(
        weights.Matrix($"{at}.weight", outputs, c.HiddenSize), bias ? weights.Vector($"{at}.bias", outputs) : null);

    /// <summary>A layer with a norm before each of its halves.</summary>
    public static DecoderLayer Layer(
        WeightReader weights, ModelConfig c, LayerIndex layer, Attention attention, IFeedForward feedForward) =>
        new(layer, (float)c.RmsNormEps, weights.Vector($"{Name(layer)}.input_layernorm.weight", c.HiddenSize), attention,
            weights.Vector($"{Name(layer)}.post_attention_layernorm.weight", c.HiddenSize), feedForward);

    /// <summary>What the names of a layer's tensors begin with.</summary>
    public static string Name(LayerIndex layer) => $"model.layers.{layer.Value}";

    /// <summary>A feed-forward of <paramref name="inner"/> values on every row.</summary>
    public static DenseMlp Dense(WeightReader weights, ModelConfig c, string at, int inner) => new(
        gate: weights.Matrix($"{at}.gate_proj.weight", inner, c.HiddenSize),
        up: weights.Matrix($"{at}.up_proj.weight", inner, c.HiddenSize),
        down: weights.Matrix($"{at}.down_proj.weight", c.HiddenSize, inner));

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
