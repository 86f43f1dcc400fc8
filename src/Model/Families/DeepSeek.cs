using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>What DeepSeek-V2 and V3 have in common: latent attention, the first layers dense, and shared experts without a gate.</summary>
internal static class DeepSeek
{
    /// <summary>The keys that both have.</summary>
    public static ModelConfig Read(ConfigReader reader, int firstDense)
    {
        int Width(string key, int least = 1) => reader.Int(least, ConfigRules.MaxWidth, null, key);
        var latent = new LatentShape(reader.Int(0, ConfigRules.MaxWidth, 0, "q_lora_rank"), Width("kv_lora_rank"),
            Width("qk_nope_head_dim"), Width("qk_rope_head_dim", 2), Width("v_head_dim"));
        ModelConfig c = ConfigRules.Read(reader, new ConfigDefaults { HeadDim = latent.Turning });
        // Newer files say here what turns.
        if (c.HeadDim != latent.Turning) throw reader.Error("head_dim", $"must be qk_rope_head_dim = {latent.Turning}, got {c.HeadDim}");
        if (c.KvHeads != c.Heads) throw reader.Error("num_key_value_heads", $"must be num_attention_heads = {c.Heads}, got {c.KvHeads}");
        c = ConfigRules.Experts(reader, c, "moe_intermediate_size", "n_routed_experts", "num_local_experts");
        return ConfigRules.FirstDense(reader, c, firstDense) with
        {
            Latent = latent,
            KvHeads = 1,
            HeadDim = latent.KvRank + latent.Turning,
            ValueDim = latent.KvRank,
            OutputBias = reader.Bool(false, "attention_bias"),
            SharedExpertSize = c.MoeIntermediateSize * reader.Int(0, 64, null, "n_shared_experts"),
        };
    }

    /// <summary>The attention of both. Scores are divided by the root of a query's width, and yarn corrects them.</summary>
    public static LatentAttention Attention(LayerWeights l)
    {
        (WeightReader weights, ModelConfig c, string at) = (l.Weights, l.Config, $"{l.Name}.self_attn");
        (LatentShape shape, Part heads) = (c.Latent!, l.Spec.Split.Heads);
        bool compressed = shape.QueryRank > 0;
        Weight query = weights.Outputs($"{at}.{(compressed ? "q_b_proj" : "q_proj")}.weight", c.Heads * shape.Query,
            compressed ? shape.QueryRank : c.HiddenSize, heads.Times(shape.Query));
        int perHead = shape.Still + shape.Value;
        LatentProjection? queryLatent = !compressed ? null : new LatentProjection(Biased($"{at}.q_a_proj", shape.QueryRank),
            weights.Vector($"{at}.q_a_layernorm.weight", shape.QueryRank));
        return new LatentAttention(shape, queryLatent, new Projection(query),
            latent: Biased($"{at}.kv_a_proj_with_mqa", shape.KvRank + shape.Turning),
            weights.Vector($"{at}.kv_a_layernorm.weight", shape.KvRank),
            heads: weights.Outputs($"{at}.kv_b_proj.weight", c.Heads * perHead, shape.KvRank, heads.Times(perHead)),
            Parts.Output(l, at, shape.Value),
            new Attending(l.Spec.Split.Groups, (float)(c.Rope.ScoreScale / Math.Sqrt(shape.Query))), c.Rope.Neighbours);

        Projection Biased(string name, int outputs) => new(weights.Matrix($"{name}.weight", outputs, c.HiddenSize),
            c.OutputBias ? weights.Vector($"{name}.bias", outputs) : null);
    }

    /// <summary>The shared experts, which are one of their widths together; null where there are none.</summary>
    public static SharedExpert? Shared(LayerWeights l) => l.Config.SharedExpertSize > 0 ? Parts.Shared(l, "shared_experts") : null;

    /// <summary>
    /// Routed experts by the sigmoid of each logit, chosen after a correction and among the best groups, a group counting as much as its
    /// two best. (DeepSeek-V3, 2024; GLM-4.5 has it too.)
    /// </summary>
    public static MoeMlp Corrected(LayerWeights l) => Parts.Routed(l, ExpertNames.Usual, Shared(l), Parts.Rule(l.Config) with
    {
        Sigmoid = true,
        GroupsByTwo = true,
        Correction = l.Weights.Vector($"{l.Name}.mlp.gate.e_score_correction_bias", l.Config.Experts),
    });
}
