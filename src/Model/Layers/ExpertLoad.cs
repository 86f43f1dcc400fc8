using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>How often this replica's rows chose each expert, by layer of the stage. Dense layers stay at zero.</summary>
public sealed class ExpertLoad(LayerIndex first, int layers, int experts)
{
    private readonly long[] _counts = new long[layers * experts];

    /// <summary>[E] choices of a layer.</summary>
    public ReadOnlySpan<long> Of(LayerIndex layer) => Counts(layer);

    /// <summary>Counts the choices of some rows; -1 is masked.</summary>
    public void Add(LayerIndex layer, ReadOnlySpan<int> chosen)
    {
        Span<long> counts = Counts(layer);
        foreach (int expert in chosen)
            if (expert >= 0) counts[expert]++;
    }

    /// <summary>Starts from zero.</summary>
    public void Reset() => Array.Clear(_counts);

    private Span<long> Counts(LayerIndex layer) => _counts.AsSpan((layer.Value - first.Value) * experts, experts);
}
