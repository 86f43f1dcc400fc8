using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Qwen2MoeForCausalLM: biases of queries, keys and values instead of norms of heads, and beside the routed experts one that every row
/// goes to.
/// </summary>
internal static class Qwen2Moe
{
    /// <summary>One layer with the experts of this shard; the shared one is on every rank.</summary>
    public static DecoderLayer Layer(WeightReader weights, ModelConfig c, ShardSpec spec, LayerIndex layer)
    {
        string at = $"model.layers.{layer.Value}";
        var attention = new Attention(
            query: Parts.Project(weights, c, $"{at}.self_attn.q_proj", c.Heads * c.HeadDim, c.QkvBias),
            key: Parts.Project(weights, c, $"{at}.self_attn.k_proj", c.KvHeads * c.HeadDim, c.QkvBias),
            value: Parts.Project(weights, c, $"{at}.self_attn.v_proj", c.KvHeads * c.HeadDim, c.QkvBias),
            output: weights.Matrix($"{at}.self_attn.o_proj.weight", c.HiddenSize, c.Heads * c.HeadDim),
            c.HeadDim);
        Weight inputNorm = weights.Vector($"{at}.input_layernorm.weight", c.HiddenSize);
        Weight postNorm = weights.Vector($"{at}.post_attention_layernorm.weight", c.HiddenSize);
        IFeedForward feedForward = c.IsMoeLayer(layer.Value)
            ? Parts.Routed(weights, c, spec, $"{at}.mlp", Shared(weights, c, $"{at}.mlp")) : Parts.Dense(weights, c, $"{at}.mlp");
        return new DecoderLayer(layer, (float)c.RmsNormEps, inputNorm, attention, postNorm, feedForward);
    }

    private static SharedExpert Shared(WeightReader weights, ModelConfig c, string at) => new(
        gate: weights.Matrix($"{at}.shared_expert.gate_proj.weight", c.SharedExpertSize, c.HiddenSize),
        up: weights.Matrix($"{at}.shared_expert.up_proj.weight", c.SharedExpertSize, c.HiddenSize),
        down: weights.Matrix($"{at}.shared_expert.down_proj.weight", c.HiddenSize, c.SharedExpertSize),
        share: weights.Matrix($"{at}.shared_expert_gate.weight", 1, c.HiddenSize));
}
