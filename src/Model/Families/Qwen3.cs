using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Qwen3ForCausalLM and Qwen3MoeForCausalLM: the same but for the feed-forward, which in the latter may be routed experts layer by layer.
/// Tensor names are those of public checkpoints.
/// </summary>
internal static class Qwen3
{
    public const string Embedding = "model.embed_tokens.weight", FinalNorm = "model.norm.weight", Head = "lm_head.weight";

    /// <summary>One layer with the experts of this shard.</summary>
    public static DecoderLayer Layer(WeightReader weights, ModelConfig c, ShardSpec spec, LayerIndex layer)
    {
        string at = $"model.layers.{layer.Value}";
        float epsilon = (float)c.RmsNormEps;
        var attention = new Attention(
            query: weights.Matrix($"{at}.self_attn.q_proj.weight", c.Heads * c.HeadDim, c.HiddenSize),
            key: weights.Matrix($"{at}.self_attn.k_proj.weight", c.KvHeads * c.HeadDim, c.HiddenSize),
            value: weights.Matrix($"{at}.self_attn.v_proj.weight", c.KvHeads * c.HeadDim, c.HiddenSize),
            output: weights.Matrix($"{at}.self_attn.o_proj.weight", c.HiddenSize, c.Heads * c.HeadDim),
            queryNorm: weights.Vector($"{at}.self_attn.q_norm.weight", c.HeadDim),
            keyNorm: weights.Vector($"{at}.self_attn.k_norm.weight", c.HeadDim),
            epsilon);
        Weight inputNorm = weights.Vector($"{at}.input_layernorm.weight", c.HiddenSize);
        Weight postNorm = weights.Vector($"{at}.post_attention_layernorm.weight", c.HiddenSize);
        IFeedForward feedForward = c.IsMoeLayer(layer.Value) ? Moe(weights, c, spec, $"{at}.mlp") : Dense(weights, c, $"{at}.mlp");
        return new DecoderLayer(layer, epsilon, inputNorm, attention, postNorm, feedForward);
    }

    private static DenseMlp Dense(WeightReader weights, ModelConfig c, string at) => new(
        gate: weights.Matrix($"{at}.gate_proj.weight", c.IntermediateSize, c.HiddenSize),
        up: weights.Matrix($"{at}.up_proj.weight", c.IntermediateSize, c.HiddenSize),
        down: weights.Matrix($"{at}.down_proj.weight", c.HiddenSize, c.IntermediateSize));

    private static MoeMlp Moe(WeightReader weights, ModelConfig c, ShardSpec spec, string at)
    {
        Weight router = weights.Matrix($"{at}.gate.weight", c.Experts, c.HiddenSize);
        var experts = new ExpertWeights(
            All(weights, spec, e => $"{at}.experts.{e.Value}.gate_proj.weight", c.MoeIntermediateSize, c.HiddenSize),
            All(weights, spec, e => $"{at}.experts.{e.Value}.up_proj.weight", c.MoeIntermediateSize, c.HiddenSize),
            All(weights, spec, e => $"{at}.experts.{e.Value}.down_proj.weight", c.HiddenSize, c.MoeIntermediateSize));
        return new MoeMlp(router, experts, c.ExpertsPerToken, c.NormTopkProb);
    }

    private static Weight[] All(WeightReader weights, ShardSpec spec, Func<ExpertId, string> name, int outputs, int inputs)
    {
        var all = new Weight[spec.Experts.Count];
        for (int i = 0; i < all.Length; i++) all[i] = weights.MatrixLike(i > 0 ? all[0] : null, name(spec.Experts[i]), outputs, inputs);
        return all;
    }
}
