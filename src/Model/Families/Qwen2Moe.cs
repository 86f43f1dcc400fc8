using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Qwen2 with routed experts: biases of queries, keys and values instead of norms of heads, and beside the routed experts one that every
/// row goes to, as far as a gate of its own lets it.
/// </summary>
internal sealed class Qwen2Moe : IFamily
{
    public string Architecture => "Qwen2MoeForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ConfigRules.OnlyFullAttention(reader);
        if (reader.Bool(false, "attention_bias")) throw reader.Error("attention_bias", "is true; this family says qkv_bias");
        ModelConfig c = ConfigRules.Read(reader, new ConfigDefaults());
        c = ConfigRules.Experts(reader, c, "moe_intermediate_size", "num_experts", "num_local_experts");
        return ConfigRules.SparseSteps(reader, c) with
        {
            QkvBias = reader.Bool(true, "qkv_bias"),
            NormTopkProb = reader.Bool(false, "norm_topk_prob"),
            SharedExpertSize = reader.Int(1, ConfigRules.MaxWidth, null, "shared_expert_intermediate_size"),
        };
    }

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l, Parts.Attention(l), l.IsMoe
        ? Parts.Routed(l, ExpertNames.Usual, Parts.Shared(l, "shared_expert", gate: "shared_expert_gate"))
        : Parts.Dense(l));
}
