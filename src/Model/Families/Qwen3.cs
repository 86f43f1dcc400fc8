using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Qwen3ForCausalLM and Qwen3MoeForCausalLM: the same but for the feed-forward, which in the latter may be routed experts layer by layer.
/// Query and key heads have norms.
/// </summary>
internal static class Qwen3
{
    /// <summary>One layer with the experts of this shard.</summary>
    public static DecoderLayer Layer(WeightReader weights, ModelConfig c, ShardSpec spec, LayerIndex layer)
    {
        string at = Parts.Name(layer);
        Attention attention = Parts.Attention(weights, c, spec, $"{at}.self_attn", normHeads: true);
        return Parts.Layer(weights, c, layer, attention, c.IsMoeLayer(layer.Value)
            ? Parts.Routed(weights, c, spec, $"{at}.mlp")
            : Parts.Dense(weights, c, $"{at}.mlp", c.IntermediateSize, spec.Split.Inner));
    }
}
