using Troupe.Devices.Tensors;
using Troupe.Model.Families;

namespace Troupe.Model.Checkpoints;

/// <summary>
/// The shape of a model, from config.json as public checkpoints spell it (both the older and the newer spelling of transformers), and the
/// end-of-text ids of generation_config.json. Sizes count elements; immutable. H hidden, E experts, K experts per token, V vocabulary.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>The name in config.json, such as Qwen3MoeForCausalLM.</summary>
    public required string Architecture { get; init; }
    /// <summary>H: width of a hidden state.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>L: decoder layers.</summary>
    public required int Layers { get; init; }
    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }
    /// <summary>Key and value heads; divides <see cref="Heads"/>. One where all heads read the same latent vector.</summary>
    public required int KvHeads { get; init; }
    /// <summary>Width of a key; Heads x HeadDim need not be H.</summary>
    public required int HeadDim { get; init; }
    /// <summary>Width of a value.</summary>
    public required int ValueDim { get; init; }
    /// <summary>The latent vectors that keys and values are made from; null where the model keeps keys and values.</summary>
    public LatentShape? Latent { get; init; }
    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QkvBias { get; init; }
    /// <summary>Whether the output of attention has a bias.</summary>
    public bool OutputBias { get; init; }
    /// <summary>Whether dense feed-forwards and shared experts have biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>Whether routed experts have biases.</summary>
    public bool ExpertBias { get; init; }
    /// <summary>Width of the feed-forward of a dense layer; 0 where the model has none and does not say.</summary>
    public int IntermediateSize { get; init; }
    /// <summary>Width of one expert; 0 in a dense model.</summary>
    public int MoeIntermediateSize { get; init; }
    /// <summary>Width of the expert that every row of a MoE layer goes to; 0 where there is none.</summary>
    public int SharedExpertSize { get; init; }
    /// <summary>E: routed experts of each MoE layer; 0 in a dense model.</summary>
    public int Experts { get; init; }
    /// <summary>K: experts that each token goes to; 0 in a dense model.</summary>
    public int ExpertsPerToken { get; init; }
    /// <summary>Whether the K routing weights are scaled to sum to 1.</summary>
    public bool NormTopkProb { get; init; }
    /// <summary>What the K routing weights are multiplied with.</summary>
    public double RoutingScale { get; init; } = 1;
    /// <summary>Groups of experts, of which only some are open to a token.</summary>
    public int RoutingGroups { get; init; } = 1;
    /// <summary>How many of them are.</summary>
    public int RoutingGroupsKept { get; init; } = 1;
    /// <summary>Layers, from 0, without routed experts in a model that has some.</summary>
    public IReadOnlyList<int> DenseLayers { get; init; } = [];
    /// <summary>V: rows of the embedding and of the output head; may be more than the tokenizer has.</summary>
    public required int VocabSize { get; init; }
    /// <summary>The longest context, in tokens.</summary>
    public required int MaxPositions { get; init; }
    /// <summary>Epsilon of every RMS norm.</summary>
    public required double RmsNormEps { get; init; }
    /// <summary>How positions turn queries and keys.</summary>
    public required RopeTable Rope { get; init; }
    /// <summary>Whether the output head is the embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }
    /// <summary>Ids that end a text: those of config.json, then those that only generation_config.json has. May be empty.</summary>
    public required IReadOnlyList<int> EosTokenIds { get; init; }
    /// <summary>The id that begins a text, or null.</summary>
    public required int? BosTokenId { get; init; }
    /// <summary>The type the weights were saved in, as config.json says; the tensors themselves know better. Null if not said.</summary>
    public required string? DType { get; init; }

    /// <summary>How weights are stored beside the usual types.</summary>
    public QuantizedForm Quantized { get; init; }
    /// <summary>What only the family's own layers know.</summary>
    internal object? Own { get; init; }

    /// <summary>Whether the layer (from 0) has routed experts.</summary>
    public bool IsMoeLayer(int layer) => Experts > 0 && !DenseLayers.Contains(layer);

    /// <summary>What a shard with so many key/value heads keeps of a position in a layer.</summary>
    public KvShape Kv(int kvHeads) => new(kvHeads, HeadDim, ValueDim, ValuesInKeys: Latent is not null);

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
        KnownFamilies.Read(new ConfigReader(path, ModelFiles.Object(path, json)));
}

/// <summary>
/// Attention through latent vectors (DeepSeek-V2, 2024): a position keeps one vector that all heads make keys and values from, and a part
/// of a key that turns and that all heads share.
/// </summary>
/// <param name="QueryRank">Width of the latent vector of queries; 0 where they come from the hidden state.</param>
/// <param name="KvRank">Width of the latent vector.</param>
/// <param name="Still">Width of the part of a query or key that does not turn.</param>
/// <param name="Turning">Width of the part that turns.</param>
/// <param name="Value">Width of a head's value.</param>
public sealed record LatentShape(int QueryRank, int KvRank, int Still, int Turning, int Value)
{
    /// <summary>Width of a head's query.</summary>
    public int Query => Still + Turning;
}
