namespace Troupe.Model.Checkpoints;

/// <summary>Which keys a family has, their bounds, and what is refused because the runtime would compute something else.</summary>
internal static class ConfigRules
{
    private const int MaxWidth = 1 << 18, MaxLayers = 1024, MaxHeads = 1024, MaxExperts = 4096;
    private const int MaxVocabulary = 1 << 22, MaxContext = 1 << 24;

    private static readonly (string Architecture, ModelFamily Family)[] Known =
    [
        ("Qwen3ForCausalLM", ModelFamily.Qwen3),
        ("Qwen3MoeForCausalLM", ModelFamily.Qwen3Moe),
        ("Qwen2MoeForCausalLM", ModelFamily.Qwen2Moe),
    ];

    public static ModelConfig Read(ConfigReader reader)
    {
        (string architecture, ModelFamily family) = Architecture(reader);
        Refuse(reader);
        bool moe = family != ModelFamily.Qwen3, second = family == ModelFamily.Qwen2Moe;
        int experts = moe ? reader.Int(1, MaxExperts, null, "num_experts", "num_local_experts") : 0;
        int layers = reader.Int(1, MaxLayers, null, "num_hidden_layers");
        int hidden = reader.Int(1, MaxWidth, null, "hidden_size"), heads = reader.Int(1, MaxHeads, null, "num_attention_heads");
        // Qwen2 has no head_dim of its own: the heads share the hidden state evenly.
        int? headDim = second && hidden % heads == 0 ? hidden / heads : null;
        int vocabulary = reader.Int(1, MaxVocabulary, null, "vocab_size");
        int[] bos = reader.Ints(0, vocabulary - 1, single: true, "bos_token_id");
        var config = new ModelConfig
        {
            Architecture = architecture,
            Family = family,
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            KvHeads = reader.Int(1, heads, heads, "num_key_value_heads"),
            HeadDim = reader.Int(2, 4096, headDim, "head_dim"),
            QkvBias = second && reader.Bool(true, "qkv_bias"),
            IntermediateSize = reader.Int(moe ? 0 : 1, MaxWidth, moe ? 0 : null, "intermediate_size"),
            MoeIntermediateSize = moe ? reader.Int(1, MaxWidth, null, "moe_intermediate_size") : 0,
            SharedExpertSize = second ? reader.Int(1, MaxWidth, null, "shared_expert_intermediate_size") : 0,
            Experts = experts,
            ExpertsPerToken = moe ? reader.Int(1, experts, null, "num_experts_per_tok") : 0,
            NormTopkProb = moe && reader.Bool(false, "norm_topk_prob"),
            DecoderSparseStep = moe ? reader.Int(1, MaxLayers, 1, "decoder_sparse_step") : 1,
            MlpOnlyLayers = moe ? reader.Ints(0, layers - 1, single: false, "mlp_only_layers") : [],
            VocabSize = vocabulary,
            MaxPositions = reader.Int(1, MaxContext, null, "max_position_embeddings"),
            RmsNormEps = reader.Number(0, 0.1, 1e-6, "rms_norm_eps"),
            RopeTheta = RopeTheta(reader),
            TieWordEmbeddings = reader.Bool(false, "tie_word_embeddings"),
            EosTokenIds = reader.Ints(0, vocabulary - 1, single: true, "eos_token_id"),
            BosTokenId = bos.Length > 0 ? bos[0] : null,
            DType = reader.Text("dtype", "torch_dtype"),
        };
        Check(reader, config);
        return config;
    }

    private static (string, ModelFamily) Architecture(ConfigReader reader)
    {
        string known = string.Join(", ", Known.Select(k => k.Architecture));
        string[] named = reader.Texts("architectures");
        if (named.Length != 1) throw reader.Error("architectures", $"must name one architecture, got {named.Length}; known: {known}");
        foreach ((string architecture, ModelFamily family) in Known)
            if (architecture == named[0]) return (architecture, family);
        throw reader.Error("architectures", $"names {named[0]}, which is not supported; known: {known}");
    }

    private static void Refuse(ConfigReader reader)
    {
        if (reader.Has("quantization_config"))
            throw reader.Error("quantization_config", "is set; only weights stored as bf16, f16 or f32 are supported");
        if (reader.Bool(false, "attention_bias"))
            throw reader.Error("attention_bias", "is true; only attention without biases is supported");
        if (reader.Bool(false, "use_sliding_window") && reader.Has("sliding_window"))
            throw reader.Error("use_sliding_window", "is true; only full attention is supported");
        foreach (string type in reader.Texts("layer_types"))
            if (type != "full_attention") throw reader.Error("layer_types", $"has {type}; only full_attention is supported");
        if (reader.Text("hidden_act") is { } act && act != "silu") throw reader.Error("hidden_act", $"is {act}; only silu is supported");
        foreach (string key in (ReadOnlySpan<string>)["rope_scaling", "rope_parameters"])
        {
            if (reader.Inner(key) is not { } rope) continue;
            if (rope.Text("rope_type", "type") is { } type && type != "default")
                throw rope.Error(rope.Has("rope_type") ? "rope_type" : "type", $"is {type}; only default is supported");
            if (rope.Number(0, 1, 1, "partial_rotary_factor") is not 1.0)
                throw rope.Error("partial_rotary_factor", "is not 1; only rotation of whole heads is supported");
        }
    }

    private static double RopeTheta(ConfigReader reader)
    {
        double Theta(ConfigReader at, double fallback) => at.Number(1, 1e12, fallback, "rope_theta");
        double inner = reader.Inner("rope_parameters") is { } rope ? Theta(rope, 0) : 0;
        double outer = Theta(reader, 0);
        if (inner != 0 && outer != 0 && inner != outer)
            throw reader.Error("rope_theta", $"is {outer}, but rope_parameters.rope_theta is {inner}; they must agree");
        return inner != 0 ? inner : outer != 0 ? outer : 10000;
    }

    private static void Check(ConfigReader reader, ModelConfig config)
    {
        if (config.Heads % config.KvHeads != 0)
            throw reader.Error("num_key_value_heads", $"must divide num_attention_heads = {config.Heads}, got {config.KvHeads}");
        if (config.HeadDim % 2 != 0) throw reader.Error("head_dim", $"must be even, got {config.HeadDim}");
        bool dense = Enumerable.Range(0, config.Layers).Any(layer => !config.IsMoeLayer(layer));
        if (dense && config.IntermediateSize == 0)
            throw reader.Error("intermediate_size", "is missing, and the model has dense layers");
    }
}
