namespace Troupe.Model.Checkpoints;

/// <summary>The families of models that can be run.</summary>
public enum ModelFamily
{
    /// <summary>Dense Qwen3 (Qwen3ForCausalLM).</summary>
    Qwen3,

    /// <summary>Qwen3 with routed experts (Qwen3MoeForCausalLM).</summary>
    Qwen3Moe,

    /// <summary>Qwen2 with routed experts and a shared one (Qwen2MoeForCausalLM).</summary>
    Qwen2Moe,
}

/// <summary>
/// The shape of a model, from config.json as public checkpoints spell it (both the older and the newer spelling of transformers), and the
/// end-of-text ids of generation_config.json. Sizes count elements; immutable. H hidden, E experts, K experts per token, V vocabulary.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>The name in config.json, such as Qwen3MoeForCausalLM.</summary>
    public required string Architecture { get; init; }
    /// <summary>The family that the architecture belongs to.</summary>
    public required ModelFamily Family { get; init; }
    /// <summary>H: width of a hidden state.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>L: decoder layers.</summary>
    public required int Layers { get; init; }
    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }
    /// <summary>Key and value heads; divides <see cref="Heads"/>.</summary>
    public required int KvHeads { get; init; }
    /// <summary>Width of one head; even. Heads x HeadDim need not be H.</summary>
    public required int HeadDim { get; init; }
    /// <summary>Whether queries, keys and values have biases.</summary>
    public required bool QkvBias { get; init; }
    /// <summary>Width of the feed-forward of a dense layer; 0 where the model has none and does not say.</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Width of one expert; 0 in a dense model.</summary>
    public required int MoeIntermediateSize { get; init; }
    /// <summary>Width of the expert that every row of a MoE layer goes to; 0 where there is none.</summary>
    public required int SharedExpertSize { get; init; }
    /// <summary>E: routed experts of each MoE layer; 0 in a dense model.</summary>
    public required int Experts { get; init; }
    /// <summary>K: experts that each token goes to; 0 in a dense model.</summary>
    public required int ExpertsPerToken { get; init; }
    /// <summary>Whether the K routing weights are scaled to sum to 1.</summary>
    public required bool NormTopkProb { get; init; }
    /// <summary>Every how many layers a MoE layer stands.</summary>
    public required int DecoderSparseStep { get; init; }
    /// <summary>Layers that are dense whatever the step says.</summary>
    public required IReadOnlyList<int> MlpOnlyLayers { get; init; }
    /// <summary>V: rows of the embedding and of the output head; may be more than the tokenizer has.</summary>
    public required int VocabSize { get; init; }
    /// <summary>The longest context, in tokens.</summary>
    public required int MaxPositions { get; init; }
    /// <summary>Epsilon of every RMS norm.</summary>
    public required double RmsNormEps { get; init; }
    /// <summary>Base of the rotary position frequencies.</summary>
    public required double RopeTheta { get; init; }
    /// <summary>Whether the output head is the embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }
    /// <summary>Ids that end a text: those of config.json, then those that only generation_config.json has. May be empty.</summary>
    public required IReadOnlyList<int> EosTokenIds { get; init; }
    /// <summary>The id that begins a text, or null.</summary>
    public required int? BosTokenId { get; init; }
    /// <summary>The type the weights were saved in, as config.json says; the tensors themselves know better. Null if not said.</summary>
    public required string? DType { get; init; }

    /// <summary>Whether the layer (from 0) has routed experts. The rule is that of Qwen3MoeDecoderLayer in transformers.</summary>
    public bool IsMoeLayer(int layer) => Experts > 0 && !MlpOnlyLayers.Contains(layer) && (layer + 1) % DecoderSparseStep == 0;

    /// <summary>Reads config.json and, where there is one, generation_config.json.</summary>
    /// <exception cref="ModelException">A file is missing, broken, or describes a model that is not supported.</exception>
    public static ModelConfig Load(string folder, string configFile = "config.json")
    {
        string path = Path.Combine(folder, configFile), generation = Path.Combine(folder, "generation_config.json");
        ModelConfig config = Parse(path, ModelFiles.Bytes(folder, configFile));
        if (!File.Exists(generation)) return config;
        var reader = new ConfigReader(generation, ModelFiles.Object(generation, ModelFiles.Bytes(folder, "generation_config.json")));
        int[] eos = reader.Ints(0, config.VocabSize - 1, single: true, "eos_token_id");
        return config with { EosTokenIds = [.. config.EosTokenIds.Union(eos)] };
    }

    /// <summary>Reads the bytes of a config.json; the path is for messages.</summary>
    /// <exception cref="ModelException">The text is broken or describes a model that is not supported.</exception>
    public static ModelConfig Parse(string path, ReadOnlyMemory<byte> json) =>
        ConfigRules.Read(new ConfigReader(path, ModelFiles.Object(path, json)));
}
