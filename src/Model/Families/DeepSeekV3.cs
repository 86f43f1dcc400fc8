using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>DeepSeek-V3 and R1. Layers behind the last one, which guess further tokens, are not read.</summary>
internal sealed class DeepSeekV3 : IFamily
{
    public string Architecture => "DeepseekV3ForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ConfigRules.Only(reader, "scoring_func", "sigmoid");
        ConfigRules.Only(reader, "topk_method", "noaux_tc");
        ModelConfig c = DeepSeek.Read(reader, firstDense: 3);
        return ConfigRules.Groups(reader, c, grouped: true, new RoutingDefaults(Scale: 2.5, Groups: 8, Kept: 4)) with
        {
            NormTopkProb = reader.Bool(true, "norm_topk_prob"),
            Rope = c.Rope with { Neighbours = reader.Bool(true, "rope_interleave") },
        };
    }

    public DecoderLayer Layer(LayerWeights l) =>
        Parts.Layer(l, DeepSeek.Attention(l), l.IsMoe ? DeepSeek.Corrected(l) : Parts.Dense(l));
}
