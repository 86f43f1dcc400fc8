using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>What a strategy's name was resolved to. <see cref="Warning"/> is null where the user gets exactly what was asked for.</summary>
public sealed record Resolution(Strategy Use, string? Warning);

/// <summary>The table of strategies: the name users write, other names that are accepted, and whether this build has it.</summary>
public static class Strategies
{
    /// <summary>What every rank can always do.</summary>
    public const Strategy Fallback = Strategy.AllGatherReduceScatter;

    private static readonly Entry[] Table =
    [
        new(Strategy.AllGatherReduceScatter, "allgather_reducescatter", Available: true, Deprecated: ["naive"], Also: []),
        new(Strategy.HighThroughput, "high_throughput", Available: false, Deprecated: [], Also: ["deepep_high_throughput"]),
        new(Strategy.Hierarchical, "hierarchical", Available: false, Deprecated: [], Also: ["deepep_internode"]),
        new(Strategy.LowLatency, "low_latency", Available: false, Deprecated: [], Also: ["deepep_low_latency"]),
        new(Strategy.PeerMapped, "peer_mapped", Available: false, Deprecated: [], Also: ["pplx"]),
        new(Strategy.Workspace, "workspace", Available: false, Deprecated: [], Also: ["flashinfer_all2allv", "flashinfer"]),
        new(Strategy.Fused, "fused", Available: false, Deprecated: [], Also: ["mc2"]),
    ];

    /// <summary>The names of the strategies, for help texts, in the order of the table.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(entry => entry.Name)];

    /// <summary>What users call a strategy.</summary>
    public static string NameOf(Strategy strategy) => Table.First(entry => entry.Strategy == strategy).Name;

    /// <summary>
    /// The strategy to use for a name that a user wrote. Never fails: a name that is unknown, or known but not built, falls back with a
    /// warning that says what was asked, what is used, and why.
    /// </summary>
    public static Resolution Resolve(string name)
    {
        foreach (var entry in Table)
        {
            bool deprecated = entry.Deprecated.Contains(name, StringComparer.Ordinal);
            if (entry.Name != name && !deprecated && !entry.Also.Contains(name, StringComparer.Ordinal)) continue;
            if (!entry.Available) return FallBack(name, $"{entry.Name} is not available in this build");
            if (!deprecated) return new Resolution(entry.Strategy, null);
            return new Resolution(entry.Strategy, $"strategy '{name}' is an old name, {entry.Name} is used: write {entry.Name}");
        }
        return FallBack(name, $"no strategy has this name; known are {string.Join(", ", Names)}");
    }

    /// <summary>
    /// Reserves what a strategy needs for groups of this size and shape, and hands back how to make it once the fabric stands. Every rank
    /// of the world makes this reservation.
    /// </summary>
    public static Func<IFabric, RankGroup, IAll2All> Reserve(Strategy strategy, WindowPlan plan, int members, All2AllShape shape)
    {
        if (strategy != Strategy.AllGatherReduceScatter)
        {
            throw new ArgumentOutOfRangeException(nameof(strategy),
                $"{NameOf(strategy)} is not available in this build: Resolve says what to use");
        }
        var window = AllGatherReduceScatter.Reserve(plan, members, shape);
        return (fabric, group) => new AllGatherReduceScatter(fabric, group, shape, window);
    }

    private static Resolution FallBack(string asked, string why) =>
        new(Fallback, $"strategy '{asked}' was asked for, {NameOf(Fallback)} is used: {why}");

    private sealed record Entry(Strategy Strategy, string Name, bool Available, string[] Deprecated, string[] Also);
}
