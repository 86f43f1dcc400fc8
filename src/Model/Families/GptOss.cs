using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// gpt-oss: attention with a sink for each head, in some layers through a window; experts with biases and a limited activation, whose gates
/// and ups take turns in one tensor. Experts in mxfp4 stay as they are stored. In bf16 they are stored with inputs first, which no product
/// reads: they are turned around as they are loaded, into memory of this rank's own. (OpenAI 2025)
/// </summary>
internal sealed class GptOss : IFamily
{
    private sealed record Options(bool[] Windowed, int Window, float Alpha, float Limit);

    public string Architecture => "GptOssForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ModelConfig c = ConfigRules.Read(reader, new ConfigDefaults(Theta: 150_000, Epsilon: 1e-5) { HeadDimWanted = true });
        c = ConfigRules.Experts(reader, c, "intermediate_size", "num_local_experts", "num_experts");
        if (c.Quantized == QuantizedForm.Mxfp4 && (c.HiddenSize % Elements.Group != 0 || c.MoeIntermediateSize % Elements.Group != 0))
            throw reader.Error("quantization_config", $"is mxfp4 in groups of {Elements.Group}, which do not divide "
                + $"hidden_size = {c.HiddenSize} and intermediate_size = {c.MoeIntermediateSize}");
        bool bias = reader.Bool(true, "attention_bias");
        return c with
        {
            NormTopkProb = true, // softmax over the K best logits alone, which is the same
            QkvBias = bias,
            OutputBias = bias,
            ExpertBias = true,
            Own = new Options(Windows(reader, c.Layers), reader.Int(1, int.MaxValue, 128, "sliding_window"),
                (float)reader.Number(0, 1e3, 1.702, "swiglu_alpha"), (float)reader.Number(0, 1e9, 7, "swiglu_limit")),
        };
    }

    public DecoderLayer Layer(LayerWeights l)
    {
        var options = (Options)l.Config.Own!;
        var traits = new AttentionTraits { Sinks = true, Window = options.Windowed[l.Index.Value] ? options.Window : 0 };
        ModelConfig c = l.Config;
        var router = new Projection(l.Weights.Matrix($"{l.Name}.mlp.router.weight", c.Experts, c.HiddenSize),
            l.Weights.Vector($"{l.Name}.mlp.router.bias", c.Experts));
        return Parts.Layer(l, Parts.Attention(l, traits),
            new MoeMlp(router, Experts(l, $"{l.Name}.mlp.experts", options), Parts.Rule(c), c.ExpertsPerToken));
    }

    private static ExpertWeights Experts(LayerWeights l, string at, Options options)
    {
        (ModelConfig c, WeightReader weights) = (l.Config, l.Weights);
        (int all, int hidden, int inner) = (c.Experts, c.HiddenSize, c.MoeIntermediateSize);
        return new ExpertWeights(Each(e => Matrix("gate_up_proj", 2 * inner, hidden, e, new Every(0, 2, inner))),
            Each(e => Matrix("gate_up_proj", 2 * inner, hidden, e, new Every(1, 2, inner))),
            Each(e => Matrix("down_proj", hidden, inner, e, new Every(0, 1, hidden))))
        {
            Biased = new BiasedExperts(Each(e => Bias("gate_up_proj_bias", 2 * inner, e, new Every(0, 2, inner))),
                Each(e => Bias("gate_up_proj_bias", 2 * inner, e, new Every(1, 2, inner))),
                Each(e => Bias("down_proj_bias", hidden, e, new Every(0, 1, hidden))), options.Alpha, options.Limit),
        };

        Weight[] Each(Func<int, Weight> make) => [.. l.Spec.Experts.Select(expert => make(expert.Value))];

        Weight Matrix(string name, int outputs, int inputs, int expert, Every which) => c.Quantized == QuantizedForm.Mxfp4
            ? weights.Mxfp4($"{at}.{name}", all, outputs, inputs, expert, which)
            : weights.Turned($"{at}.{name}", [all, inputs, outputs], inputs, outputs, expert, which);

        Weight Bias(string name, int width, int expert, Every which)
        {
            Weight column = weights.Turned($"{at}.{name}", [all, width], 1, width, expert, which); // [n, 1]
            unsafe
            {
                return new Weight(column.Data, column.Type, 1, column.Rows);
            }
        }
    }

    // Every second layer, from the first on, where the file does not say.
    private static bool[] Windows(ConfigReader reader, int layers)
    {
        string[] types = reader.Texts("layer_types");
        if (types.Length == 0) return [.. Enumerable.Range(0, layers).Select(layer => layer % 2 == 0)];
        if (types.Length != layers) throw reader.Error("layer_types", $"must name {layers} layers, got {types.Length}");
        return [.. types.Select(type => type switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            _ => throw reader.Error("layer_types", $"has {type}; known: full_attention, sliding_attention"),
        })];
    }
}
