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
        var attention = new Attention(
            query: Parts.Project(weights, c, $"{at}.self_attn.q_proj", c.Heads * c.HeadDim),
            key: Parts.Project(weights, c, $"{at}.self_attn.k_proj", c.KvHeads * c.HeadDim),
            value: Parts.Project(weights, c, $"{at}.self_attn.v_proj", c.KvHeads * c.HeadDim),
            output: weights.Matrix($"{at}.self_attn.o_proj.weight", c.HiddenSize, c.Heads * c.HeadDim),
            c.HeadDim,
            new HeadNorms(
                weights.Vector($"{at}.self_attn.q_norm.weight", c.HeadDim),
                weights.Vector($"{at}.self_attn.k_norm.weight", c.HeadDim),
                (float)c.RmsNormEps));
        return Parts.Layer(weights, c, layer, attention, c.IsMoeLayer(layer.Value)
            ? Parts.Routed(weights, c, spec, $"{at}.mlp") : Parts.Dense(weights, c, $"{at}.mlp", c.IntermediateSize));
    }
}
