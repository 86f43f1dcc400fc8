using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Planning;

/// <summary>What is to be planned.</summary>
/// <param name="Options">Layout, split, numbers and sizes.</param>
/// <param name="Model">The model; its weights are not opened.</param>
/// <param name="Hosts">Where ranks may be; null for all on this host.</param>
/// <param name="MemoryHere">Bytes that ranks may take on this host, and on a host of which the file does not say.</param>
public sealed record PlanRequest(TroupeOptions Options, ModelSource Model, HostsFile? Hosts, long MemoryHere)
{
    /// <summary>What hosts are called that nobody named.</summary>
    public const string ThisHost = "this host";

    /// <summary>Measured times to split by where the options give no split; null to split by parameters.</summary>
    public LayerProfile? Profile { get; init; }

    /// <summary>Where the split comes from: hand, profile or parameters.</summary>
    public string SplitBy => Options.Split is not null ? "hand" : Profile is not null ? "profile" : "parameters";

    /// <summary>Whether ranks are to be threads of one process.</summary>
    public bool InProcess { get; init; }

    /// <summary>Bytes of weights that a rank reads in a second; only suggestions need it.</summary>
    public double ReadBytesPerSecond { get; init; } = 10e9;

    /// <summary>The split, as given or by measured times; null to split by parameters. The layout must be possible.</summary>
    public LayerSplit? Split => Options.Split ?? Profile?.Split(Options.Layout.Stages);

    /// <summary>Bytes that ranks may take on a host.</summary>
    public long MemoryOf(string host) =>
        Hosts?.Hosts.First(h => string.Equals(h.Name, host, StringComparison.Ordinal)).MemoryBytes ?? MemoryHere;
}

/// <summary>A layout that is possible, placed on hosts, with the sizes that all of them have memory for.</summary>
internal sealed class Draft
{
    /// <summary>Places and sizes it.</summary>
    /// <exception cref="ConfigException">It is impossible, or the hosts have too few slots.</exception>
    public Draft(PlanRequest request)
    {
        (Request, Plan) = (request, ClusterPlan.Draft(request.Options with { Split = request.Split }, request.Model));
        FabricSettings fabric = request.Options.Fabric;
        LinkClass within = fabric.Kind == FabricKind.Tcp ? LinkClass.Tcp : LinkClass.Mapped;
        string[] named = fabric.Host.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Topology = request.Hosts?.Place(Plan.World, named.Length > 1 ? named : [], within)
            ?? RankTopology.OneHost(Plan.World, PlanRequest.ThisHost, within);
        Fabric = fabric.Kind is { } kind ? Fabrics.NameOf(kind) : Fabrics.NameOf(Topology.Hosts.Count == 1
            ? request.InProcess ? FabricKind.InProcess : FabricKind.SharedMemory
            : Topology.Hosts.Count < Plan.World.Size ? FabricKind.Mixed : FabricKind.Tcp);
        IReadOnlyList<string> hosts = Topology.Hosts.Count == 1 ? [] : Topology.HostOfRanks;
        // As in a real start: KV caches get at most half of what weights and windows leave free, and the tightest host decides for all.
        RankGroup[] groups = [.. Topology.Hosts.Select(Topology.RanksOn)];
        MemoryNeed[] without = [.. groups.Select(g => Plan.Need(g.Members, Plan.SizesOf(0), hosts) with { Kv = 0 })];
        Sizes = Plan.SizesOf(groups.Select((g, i) =>
            Plan.AffordableBlocks(g.Members, Math.Max(0, request.MemoryOf(Topology.Hosts[i]) - without[i].Total))).Min());
        WindowBytes = Plan.WindowBytes(Sizes, hosts);
        Needs = [.. groups.Select((g, i) => without[i] with
        {
            Kv = g.Members.Sum(rank => Plan.KvBlockBytes(rank) * Sizes.Blocks), Window = WindowBytes,
        })];
    }

    /// <summary>What it was made from.</summary>
    public PlanRequest Request { get; }

    /// <summary>The plan that a real start would make.</summary>
    public ClusterPlan Plan { get; }

    /// <summary>Where the ranks are.</summary>
    public RankTopology Topology { get; }

    /// <summary>The fabric's name: as asked for, or what auto comes to on these hosts.</summary>
    public string Fabric { get; }

    /// <summary>Sizes of the epoch.</summary>
    public EpochSizes Sizes { get; }

    /// <summary>Bytes of one rank's window.</summary>
    public long WindowBytes { get; }

    /// <summary>What each host's ranks take, in the order of the topology's hosts.</summary>
    public IReadOnlyList<MemoryNeed> Needs { get; }

    /// <summary>What a host's ranks lack, or null.</summary>
    public string? MemoryProblem(int host) => Needs[host].Problem(Request.MemoryOf(Topology.Hosts[host]));

    /// <summary>What does not fit, a line each.</summary>
    public IEnumerable<string> Problems
    {
        get
        {
            if (Topology.Hosts.Count > 1 && Request.Options.Fabric.Kind is FabricKind.SharedMemory or FabricKind.InProcess)
                yield return $"fabric {Fabric}: the ranks are on {Topology.Hosts.Count} hosts, which share no memory; use --fabric auto "
                    + "or tcp";
            for (int host = 0; host < Needs.Count; host++)
                if (MemoryProblem(host) is { } problem) yield return $"{Topology.Hosts[host]}: {problem}";
        }
    }

    /// <summary>What crosses links in a step.</summary>
    public StepTraffic Traffic(StepKind kind, int rows) => new(Plan, Topology, Fabric, Request.Options, kind, rows);
}
