using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>What limits the choice of a strategy in an epoch.</summary>
/// <param name="Available">Whether this build has a strategy. Not asked about the fallback, which every build has.</param>
public sealed record SelectorRules(Func<Strategy, bool> Available)
{
    /// <summary>The largest share of steps that may explore.</summary>
    public const double MostExplored = 0.25;

    /// <summary>What this build has, nothing pinned, no exploration.</summary>
    public static SelectorRules Default { get; } = new(Strategies.Available.Contains);

    /// <summary>Rows per member that the windows of strategies with preallocated slots hold.</summary>
    public int Capacity { get; init; } = Strategies.FixedCapacity;

    /// <summary>The strategy that the user asked for, as written; null for auto.</summary>
    public string? Pinned { get; init; }

    /// <summary>The share of steps that try another strategy than the one picked, to learn; 0 for none.</summary>
    public double Explore { get; init; }

    /// <summary>Decides, with a step's number, whether it explores.</summary>
    public ulong Seed { get; init; }
}

/// <summary>Whether a strategy can be used for a step; see the last column of DESIGN section 5.</summary>
public static class Legality
{
    /// <summary>Why a strategy cannot be used for this step, as the end of a sentence; null where it can.</summary>
    public static string? WhyNot(Strategy strategy, StepShape shape, SelectorRules rules)
    {
        if (strategy == Strategies.Fallback) return null;
        if (!rules.Available(strategy)) return "not available in this build";
        return strategy switch
        {
            Strategy.Hierarchical when shape.Hosts < 2 => "all ranks are on one host",
            Strategy.Hierarchical when shape.SomeStageOnOneHost => "all ranks of some stage are on one host",
            Strategy.LowLatency or Strategy.Fused when shape.MaxRows > rules.Capacity =>
                $"{shape.MaxRows} rows on a rank, its slots hold {rules.Capacity}",
            Strategy.PeerMapped when shape.Hosts > 1 => "not all ranks are on one host",
            Strategy.PeerMapped or Strategy.Workspace when !AllMapped(shape) => "windows are not mapped on this fabric",
            _ => null,
        };
    }

    private static bool AllMapped(StepShape shape) =>
        shape.Mapping == Mapping.Everybody || (shape.Mapping == Mapping.SameHost && shape.Hosts < 2);
}
