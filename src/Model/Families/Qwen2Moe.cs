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
        string at = Parts.Name(layer);
        Attention attention = Parts.Attention(weights, c, spec, $"{at}.self_attn");
        return Parts.Layer(weights, c, layer, attention, c.IsMoeLayer(layer.Value)
            ? Parts.Routed(weights, c, spec, $"{at}.mlp", Shared(weights, c, $"{at}.mlp"))
            : Parts.Dense(weights, c, $"{at}.mlp", c.IntermediateSize, spec.Split.Inner));
    }

    private static SharedExpert Shared(WeightReader weights, ModelConfig c, string at) => new(
        Parts.Dense(weights, c, $"{at}.shared_expert", c.SharedExpertSize, new Part(0, c.SharedExpertSize)),
        share: weights.Matrix($"{at}.shared_expert_gate.weight", 1, c.HiddenSize));
}
