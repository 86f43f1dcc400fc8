using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>Qwen3 with routed experts, layer by layer or only in some layers.</summary>
internal sealed class Qwen3Moe : IFamily
{
    public string Architecture => "Qwen3MoeForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ModelConfig c = ConfigRules.Experts(reader, Qwen3.Common(reader), "moe_intermediate_size", "num_experts", "num_local_experts");
        return ConfigRules.SparseSteps(reader, c) with { NormTopkProb = reader.Bool(false, "norm_topk_prob") };
    }

    public DecoderLayer Layer(LayerWeights l) =>
        Parts.Layer(l, Qwen3.Attention(l), l.IsMoe ? Parts.Routed(l, ExpertNames.Usual) : Parts.Dense(l));
}
