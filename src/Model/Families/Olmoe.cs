using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// OLMoE: norms over all heads together, and queries, keys and values within bounds if asked for. (Muennighoff et al. 2024)
/// </summary>
internal sealed class Olmoe : IFamily
{
    public string Architecture => "OlmoeForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ConfigRules.OnlyFullAttention(reader);
        ModelConfig c = ConfigRules.Read(reader, new ConfigDefaults(Epsilon: 1e-5));
        if (c.HeadDim * c.Heads != c.HiddenSize)
            throw reader.Error("head_dim", $"is {c.HeadDim}; heads of this family share the hidden state of {c.HiddenSize} evenly");
        bool bias = reader.Bool(false, "attention_bias");
        double limit = reader.Number(0, 1e30, 0, "clip_qkv");
        return ConfigRules.Experts(reader, c, "intermediate_size", "num_experts", "num_local_experts") with
        {
            NormTopkProb = reader.Bool(false, "norm_topk_prob"),
            QkvBias = bias,
            OutputBias = bias,
            Own = limit > 0 ? (float?)limit : null,
        };
    }

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l,
        Parts.Attention(l, new AttentionTraits { Norms = HeadNormKind.AllHeads, Limit = (float?)l.Config.Own }),
        Parts.Routed(l, ExpertNames.Usual));
}
