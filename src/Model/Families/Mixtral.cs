using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Mixtral: routed experts in every layer, under names of their own, and a window of attention if asked for. (Jiang et al. 2024)
/// </summary>
internal sealed class Mixtral : IFamily
{
    private static readonly ExpertNames s_names = new("block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2");

    public string Architecture => "MixtralForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ModelConfig c = ConfigRules.Read(reader, new ConfigDefaults(Theta: 1e6, Epsilon: 1e-5));
        return ConfigRules.Experts(reader, c, "intermediate_size", "num_local_experts", "num_experts") with
        {
            NormTopkProb = true,
            Own = reader.Int(0, int.MaxValue, 0, "sliding_window"),
        };
    }

    public DecoderLayer Layer(LayerWeights l)
    {
        // Newer writers name the parts as other families do.
        bool renamed = !l.Weights.Has($"{l.Name}.{s_names.Router}.weight", l.Config.Experts, l.Config.HiddenSize)
            && l.Weights.Has($"{l.Name}.{ExpertNames.Usual.Router}.weight", l.Config.Experts, l.Config.HiddenSize);
        return Parts.Layer(l, Parts.Attention(l, new AttentionTraits { Window = (int)l.Config.Own! }),
            Parts.Routed(l, renamed ? ExpertNames.Usual : s_names));
    }
}
