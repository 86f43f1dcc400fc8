using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>Llama 2 and 3: dense, with biases only if asked for. (Touvron et al. 2023)</summary>
internal sealed class Llama : IFamily
{
    public string Architecture => "LlamaForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ConfigRules.OnlyFullAttention(reader);
        bool bias = reader.Bool(false, "attention_bias");
        return ConfigRules.Dense(reader, ConfigRules.Read(reader, new ConfigDefaults())) with
        {
            QkvBias = bias, OutputBias = bias, MlpBias = reader.Bool(false, "mlp_bias"),
        };
    }

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l, Parts.Attention(l), Parts.Dense(l));
}
