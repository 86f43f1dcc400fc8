using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>GLM-4.5: grouped-query attention of which a part of each head turns, and DeepSeek-V3's way to choose experts.</summary>
internal sealed class Glm4Moe : IFamily
{
    public string Architecture => "Glm4MoeForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        var defaults = new ConfigDefaults(Epsilon: 1e-5) { HeadDimWanted = true, Turning = 0.5 };
        ModelConfig c = ConfigRules.Read(reader, defaults);
        c = ConfigRules.Experts(reader, c, "moe_intermediate_size", "n_routed_experts", "num_local_experts");
        c = ConfigRules.Groups(reader, ConfigRules.FirstDense(reader, c, fallback: 1), grouped: true, new RoutingDefaults());
        return c with
        {
            QkvBias = reader.Bool(false, "attention_bias"),
            NormTopkProb = reader.Bool(true, "norm_topk_prob"),
            SharedExpertSize = c.MoeIntermediateSize * reader.Int(0, 64, 1, "n_shared_experts"),
            Own = reader.Bool(false, "use_qk_norm") ? HeadNormKind.EachHead : HeadNormKind.None,
        };
    }

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l,
        Parts.Attention(l, new AttentionTraits { Norms = (HeadNormKind)l.Config.Own! }),
        l.IsMoe ? DeepSeek.Corrected(l) : Parts.Dense(l));
}
