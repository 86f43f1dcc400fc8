using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>A hidden state became infinite or NaN: damaged weights, or activations that the stored type cannot hold.</summary>
public sealed class NonFiniteException(LayerIndex layer)
    : Exception($"{layer}: the hidden state is no longer finite after this layer; are the weights damaged, or is their type too narrow?")
{
    /// <summary>The first layer after which it was seen.</summary>
    public LayerIndex Layer { get; } = layer;
}
