using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>Dense Qwen3: query and key heads have norms.</summary>
internal sealed class Qwen3 : IFamily
{
    public string Architecture => "Qwen3ForCausalLM";

    public ModelConfig Read(ConfigReader reader) => ConfigRules.Dense(reader, Common(reader));

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l, Attention(l), Parts.Dense(l));

    /// <summary>What Qwen3-MoE has in common with it.</summary>
    public static ModelConfig Common(ConfigReader reader)
    {
        ConfigRules.OnlyFullAttention(reader);
        bool bias = reader.Bool(false, "attention_bias");
        return ConfigRules.Read(reader, new ConfigDefaults { HeadDimWanted = true }) with { QkvBias = bias, OutputBias = bias };
    }

    /// <summary>The attention of both.</summary>
    public static GroupedAttention Attention(LayerWeights l) => Parts.Attention(l, new AttentionTraits { Norms = HeadNormKind.EachHead });
}
