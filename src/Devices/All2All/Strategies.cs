using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>What a strategy's name was resolved to. <see cref="Warning"/> is null where the user gets exactly what was asked
/// for.</summary>
public sealed record Resolution(Strategy Use, string? Warning);

/// <summary>What a group is like, for the question which strategies are legal in it.</summary>
/// <param name="Members">Ranks in the group (R).</param>
/// <param name="Mapped">Whether all of them address each other's windows directly.</param>
/// <param name="Hosts">Hosts that they are on.</param>
public sealed record GroupTraits(int Members, bool Mapped, int Hosts);

/// <summary>The table of strategies: the name users write, other names that are accepted, and where each is legal.</summary>
public static class Strategies
{
    /// <summary>What every rank can always do.</summary>
    public const Strategy Fallback = Strategy.AllGatherReduceScatter;

    /// <summary>The most rows of a rank for strategies that keep slots for the worst case.</summary>
    public const int FixedCapacity = 256;

    /// <summary>In how many tiles <see cref="Strategy.Fused"/> sends the rows for a rank, where there are as many rows.</summary>
    public const int FusedTiles = 4;

    private static readonly Entry[] Table =
    [
        new(AllGatherReduceScatter.Traits, "allgather_reducescatter", Deprecated: ["naive"], Also: []),
        new(HighThroughput.Traits, "high_throughput", Deprecated: [], Also: ["deepep_high_throughput"]),
        new(Hierarchical.Traits, "hierarchical", Deprecated: [], Also: ["deepep_internode"]),
        new(LowLatency.Traits, "low_latency", Deprecated: [], Also: ["deepep_low_latency"]),
        new(PeerMapped.Traits, "peer_mapped", Deprecated: [], Also: ["pplx"]),
        new(Workspace.Traits, "workspace", Deprecated: [], Also: ["flashinfer_all2allv", "flashinfer"]),
        new(Fused.Traits, "fused", Deprecated: [], Also: ["mc2"]),
    ];

    /// <summary>The names of the strategies, for help texts, in the order of the table.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(entry => entry.Name)];

    /// <summary>All of them, in the order of the table.</summary>
    public static IReadOnlyList<Strategy> Available { get; } = Enum.GetValues<Strategy>();

    /// <summary>What users call a strategy.</summary>
    public static string NameOf(Strategy strategy) => Table[(int)strategy - 1].Name;

    /// <summary>The most rows a rank may bring to a dispatch.</summary>
    public static int Capacity(Strategy strategy, All2AllShape shape) =>
        strategy is Strategy.LowLatency or Strategy.Fused ? Math.Min(FixedCapacity, shape.MaxTokens) : shape.MaxTokens;

    /// <summary>Why a strategy cannot be used in a group, or null. One that can be made once may be used for every step within
    /// capacity.</summary>
    public static string? Problem(Strategy strategy, GroupTraits group) => Table[(int)strategy - 1].Traits switch
    {
        { Strategy: Strategy.Hierarchical } when group.Hosts < 2 => "it needs ranks on several hosts",
        { NeedsMapping: true } when !group.Mapped => "it needs ranks that address each other's memory: one host, fabric inprocess or shm",
        _ => null,
    };

    /// <summary>
    /// The strategy to use for a name that a user wrote. Never fails: a name that is unknown, or known but not built, falls back with a
    /// warning that says what was asked, what is used, and why.
    /// </summary>
    public static Resolution Resolve(string name)
    {
        foreach (Strategy strategy in Enum.GetValues<Strategy>())
        {
            Entry entry = Table[(int)strategy - 1];
            bool deprecated = entry.Deprecated.Contains(name, StringComparer.Ordinal);
            if (entry.Name != name && !deprecated && !entry.Also.Contains(name, StringComparer.Ordinal)) continue;
            if (!deprecated) return new Resolution(strategy, null);
            return new Resolution(strategy, $"strategy '{name}' is an old name, {entry.Name} is used: write {entry.Name}");
        }
        return Instead(name, $"no strategy has this name; known are {string.Join(", ", Names)}");
    }

    /// <summary>A warning that a strategy was asked for and the default is used.</summary>
    public static Resolution Instead(string asked, string why) =>
        new(Fallback, $"strategy '{asked}' was asked for, {NameOf(Fallback)} is used: {why}");

    /// <summary>
    /// Makes a strategy for this rank's group over a window; every member does, in the same order. A group of one needs no window, and
    /// gets the same whatever is asked for.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is not legal in this group.</exception>
    public static IAll2All Make(Strategy strategy, IFabric fabric, RankGroup group, All2AllWindow? window, All2AllShape shape, Epoch epoch,
        ExpertPlacement placement, Hosts hosts)
    {
        if (window is null) return new Alone(shape);
        if (window.Hosts != hosts.Count)
            throw new InvalidOperationException(
                $"the window was reserved for {window.Hosts} hosts, got {hosts.Count}: reserve it with the same");
        if (Problem(strategy, TraitsOf(fabric, group, window, hosts)) is { } problem)
            throw new InvalidOperationException($"{NameOf(strategy)} is not legal here: {problem}");
        return strategy == Strategy.Hierarchical ? new Hierarchical(fabric, group, window, epoch, placement, hosts)
            : new RowExchange(fabric, group, window, epoch, placement, hosts, Table[(int)strategy - 1].Traits);
    }

    /// <summary>What a group is like over a connected fabric.</summary>
    public static GroupTraits TraitsOf(IFabric fabric, RankGroup group, All2AllWindow window, Hosts hosts)
    {
        bool mapped = Enumerable.Range(0, group.Size).All(m => fabric.TryMap(group[m], window.Greeting(0), out _));
        return new GroupTraits(group.Size, mapped, hosts.Count);
    }

    private sealed record Entry(Traits Traits, string Name, string[] Deprecated, string[] Also);
}
