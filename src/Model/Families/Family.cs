using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>How the layers of an architecture are put together from its tensors. A new architecture is one more entry.</summary>
internal sealed class Family
{
    private static readonly Dictionary<ModelFamily, Family> Known = new()
    {
        [ModelFamily.Qwen3] = new(Qwen3.Layer),
        [ModelFamily.Qwen3Moe] = new(Qwen3.Layer),
        [ModelFamily.Qwen2Moe] = new(Qwen2Moe.Layer),
    };

    private Family(LayerBuilder layer) => Layer = layer;

    /// <summary>Puts one layer of a shard together.</summary>
    public delegate DecoderLayer LayerBuilder(WeightReader weights, ModelConfig config, ShardSpec spec, LayerIndex layer);

    /// <summary>Builds one layer of a shard.</summary>
    public LayerBuilder Layer { get; }

    /// <summary>The family of a model.</summary>
    /// <exception cref="ModelException">It is not known.</exception>
    public static Family Of(ModelConfig config) => Known.TryGetValue(config.Family, out Family? family)
        ? family
        : throw new ModelException($"architecture {config.Architecture} cannot be run; known: {string.Join(", ", Known.Keys)}");
}
