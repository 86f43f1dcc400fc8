using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// An architecture: what its config.json means, and how its layers are put together from its tensors. Adding one takes one file with a
/// class that implements this; it is found by itself.
/// </summary>
internal interface IFamily
{
    /// <summary>The name in config.json's architectures, such as Qwen3MoeForCausalLM.</summary>
    string Architecture { get; }

    /// <summary>Reads the shape of a model; refuses what the layers here would compute otherwise.</summary>
    /// <exception cref="ModelException">A key is missing, wrong or asks for what is not supported; names file and key.</exception>
    ModelConfig Read(ConfigReader reader);

    /// <summary>Puts one layer of a shard together.</summary>
    /// <exception cref="ModelException">A tensor is missing or has another type or shape; names it.</exception>
    DecoderLayer Layer(LayerWeights weights);
}

/// <summary>What a layer is made from: its tensors, the model, the shard's part of it, and the layer's place.</summary>
internal sealed record LayerWeights(WeightReader Weights, ModelConfig Config, ShardSpec Spec, LayerIndex Index)
{
    /// <summary>What the names of the layer's tensors begin with.</summary>
    public string Name { get; } = $"model.layers.{Index.Value}";

    /// <summary>Whether it has routed experts.</summary>
    public bool IsMoe => Config.IsMoeLayer(Index.Value);
}
