namespace Troupe.Model.Checkpoints;

/// <summary>What families differ in where config.json says nothing.</summary>
/// <param name="Theta">Base of the rotary frequencies.</param>
/// <param name="Epsilon">Epsilon of the norms.</param>
internal sealed record ConfigDefaults(double Theta = 10000, double Epsilon = 1e-6)
{
    /// <summary>Width of a head; null: the heads share the hidden state evenly.</summary>
    public int? HeadDim { get; init; }

    /// <summary>Whether config.json must say the width of a head.</summary>
    public bool HeadDimWanted { get; init; }

    /// <summary>How much of a head turns by its position; null in families whose heads always turn whole.</summary>
    public double? Turning { get; init; }
}

/// <summary>What families differ in where config.json says nothing of how experts are chosen.</summary>
/// <param name="Scale">What weights are multiplied with.</param>
/// <param name="Groups">Groups of experts.</param>
/// <param name="Kept">How many of them are open to a token.</param>
internal sealed record RoutingDefaults(double Scale = 1, int Groups = 1, int Kept = 1);

/// <summary>Keys that most families have, with their bounds, and what is refused because something else would be computed.</summary>
internal static class ConfigRules
{
    /// <summary>Bounds of what a config may say.</summary>
    public const int MaxWidth = 1 << 18, MaxHeads = 1024, MaxExperts = 4096;

    private const int MaxLayers = 1024, MaxVocabulary = 1 << 22, MaxContext = 1 << 24;

    // Options of other families, none of which computes the same with them.
    private static readonly string[] s_notBuilt =
    [
        "final_logit_softcapping", "attn_logit_softcapping", "query_pre_attn_scalar", "logit_scale", "embedding_multiplier",
        "residual_multiplier", "attention_multiplier", "logits_scaling", "no_rope_layers", "attention_chunk_size", "index_topk",
        "compression_config", "sparse_attention_config",
    ];

    /// <summary>A model of grouped-query attention, as far as all families spell it; families add the rest.</summary>
    public static ModelConfig Read(ConfigReader reader, ConfigDefaults defaults)
    {
        foreach (string key in s_notBuilt)
            if (reader.Has(key)) throw reader.Error(key, "is set, which is not supported");
        if (reader.Text("hidden_act") is { } act && act is not ("silu" or "swish"))
            throw reader.Error("hidden_act", $"is {act}; only silu is supported");
        int hidden = reader.Int(1, MaxWidth, null, "hidden_size"), heads = reader.Int(1, MaxHeads, null, "num_attention_heads");
        int kvHeads = reader.Int(1, heads, heads, "num_key_value_heads");
        int maxPositions = reader.Int(1, MaxContext, null, "max_position_embeddings");
        int? fallback = defaults.HeadDimWanted ? null : defaults.HeadDim ?? (hidden % heads == 0 ? hidden / heads : null);
        int headDim = reader.Int(2, 4096, fallback, "head_dim"), vocabulary = reader.Int(1, MaxVocabulary, null, "vocab_size");
        if (heads % kvHeads != 0) throw reader.Error("num_key_value_heads", $"must divide num_attention_heads = {heads}, got {kvHeads}");
        if (headDim % 2 != 0) throw reader.Error("head_dim", $"must be even, got {headDim}");
        double turning = defaults.Turning is { } part ? RopeRules.Partial(reader, part) : 1;
        if (defaults.Turning is null) RopeRules.RefusePartial(reader);
        if ((int)(headDim * turning) is var width && (width < 2 || width % 2 != 0))
            throw reader.Error("partial_rotary_factor", $"leaves {width} of {headDim} values that turn; an even number is wanted");
        int[] bos = reader.Ints(0, vocabulary - 1, single: true, "bos_token_id");
        return new ModelConfig
        {
            Architecture = "",
            HiddenSize = hidden,
            Layers = reader.Int(1, MaxLayers, null, "num_hidden_layers"),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            ValueDim = headDim,
            VocabSize = vocabulary,
            MaxPositions = maxPositions,
            RmsNormEps = reader.Number(0, 0.1, defaults.Epsilon, "rms_norm_eps"),
            Rope = RopeRules.Read(reader, width, defaults.Theta, maxPositions),
            TieWordEmbeddings = reader.Bool(false, "tie_word_embeddings"),
            EosTokenIds = reader.Ints(0, vocabulary - 1, single: true, "eos_token_id"),
            BosTokenId = bos.Length > 0 ? bos[0] : null,
            DType = reader.Text("dtype", "torch_dtype"),
            Quantized = QuantizationRules.Read(reader),
        };
    }

    /// <summary>The width of dense feed-forwards, which a model without experts must have.</summary>
    public static ModelConfig Dense(ConfigReader reader, ModelConfig c) =>
        c with { IntermediateSize = reader.Int(1, MaxWidth, null, "intermediate_size") };

    /// <summary>Routed experts. The key of their width differs, as do the keys of their count.</summary>
    public static ModelConfig Experts(ConfigReader reader, ModelConfig c, string widthKey, params ReadOnlySpan<string> countKeys)
    {
        int experts = reader.Int(1, MaxExperts, null, countKeys);
        return c with
        {
            Experts = experts,
            ExpertsPerToken = reader.Int(1, experts, null, "num_experts_per_tok"),
            MoeIntermediateSize = reader.Int(1, MaxWidth, null, widthKey),
        };
    }

    /// <summary>Layers without experts as the Qwen families name them: all but every n-th, and those of a list.</summary>
    public static ModelConfig SparseSteps(ConfigReader reader, ModelConfig c)
    {
        int step = reader.Int(1, MaxLayers, 1, "decoder_sparse_step");
        int[] listed = reader.Ints(0, c.Layers - 1, single: false, "mlp_only_layers");
        return DenseLayers(reader, c, layer => listed.Contains(layer) || (layer + 1) % step != 0);
    }

    /// <summary>Layers without experts as DeepSeek names them: the first ones.</summary>
    public static ModelConfig FirstDense(ConfigReader reader, ModelConfig c, int fallback)
    {
        int first = reader.Int(0, MaxLayers, fallback, "first_k_dense_replace");
        if (reader.Int(1, MaxLayers, 1, "moe_layer_freq") != 1)
            throw reader.Error("moe_layer_freq", "is not 1; only experts in every layer after the first dense ones are supported");
        return DenseLayers(reader, c, layer => layer < first);
    }

    /// <summary>What the weights of experts are multiplied with, and their groups if only the best ones are open to a token.</summary>
    public static ModelConfig Groups(ConfigReader reader, ModelConfig c, bool grouped, RoutingDefaults defaults)
    {
        double scale = reader.Number(0, 1e6, defaults.Scale, "routed_scaling_factor");
        if (!grouped) return c with { RoutingScale = scale };
        int groups = reader.Int(1, c.Experts, defaults.Groups, "n_group"), kept = reader.Int(1, groups, defaults.Kept, "topk_group");
        if (c.Experts % groups != 0) throw reader.Error("n_group", $"must divide {c.Experts} experts, got {groups}");
        if (c.Experts / groups * kept < c.ExpertsPerToken)
        {
            throw reader.Error("topk_group",
                $"is {kept} groups of {c.Experts / groups} experts, and each token goes to {c.ExpertsPerToken}");
        }
        return c with { RoutingScale = scale, RoutingGroups = groups, RoutingGroupsKept = kept };
    }

    /// <summary>Refuses an option that is set to something else than what the layers compute.</summary>
    public static void Only(ConfigReader reader, string key, string value)
    {
        if (reader.Text(key) is { } got && got != value) throw reader.Error(key, $"is {got}; only {value} is supported");
    }

    /// <summary>Refuses windows of attention, where the family has no layers that know them.</summary>
    public static void OnlyFullAttention(ConfigReader reader)
    {
        if (reader.Bool(false, "use_sliding_window") && reader.Has("sliding_window"))
            throw reader.Error("use_sliding_window", "is true; only full attention is supported");
        foreach (string type in reader.Texts("layer_types"))
            if (type != "full_attention") throw reader.Error("layer_types", $"has {type}; only full_attention is supported");
    }

    private static ModelConfig DenseLayers(ConfigReader reader, ModelConfig c, Func<int, bool> isDense)
    {
        int[] dense = [.. Enumerable.Range(0, c.Layers).Where(isDense)];
        int width = reader.Int(0, MaxWidth, 0, "intermediate_size");
        if (dense.Length > 0 && width == 0) throw reader.Error("intermediate_size", "is missing, and the model has dense layers");
        return c with { DenseLayers = dense, IntermediateSize = width };
    }
}
