using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// DeepSeek-V2 and its Lite: softmax over all experts, of which the best, or the best of the best groups, are taken with their
/// probabilities times a factor. As in the reference, norm_topk_prob changes nothing here: no public checkpoint has it.
/// </summary>
internal sealed class DeepSeekV2 : IFamily
{
    public string Architecture => "DeepseekV2ForCausalLM";

    public ModelConfig Read(ConfigReader reader)
    {
        ConfigRules.Only(reader, "scoring_func", "softmax");
        string method = reader.Text("topk_method") ?? "greedy";
        if (method is not ("greedy" or "group_limited_greedy"))
            throw reader.Error("topk_method", $"is {method}; known: greedy, group_limited_greedy");
        ModelConfig c = ConfigRules.Groups(reader, DeepSeek.Read(reader, firstDense: 0), method != "greedy", new RoutingDefaults());
        return c with { MlpBias = reader.Bool(false, "mlp_bias"), Rope = c.Rope with { Neighbours = true } };
    }

    public DecoderLayer Layer(LayerWeights l) => Parts.Layer(l, DeepSeek.Attention(l), l.IsMoe
        ? Parts.Routed(l, ExpertNames.Usual, DeepSeek.Shared(l))
        : Parts.Dense(l));
}
