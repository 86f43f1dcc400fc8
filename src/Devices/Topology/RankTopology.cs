using Troupe.Devices.All2All;

namespace Troupe.Devices.Topology;

/// <summary>Where the ranks of a world are: which share a host, and by which class of link one reaches another. Pure.</summary>
public sealed class RankTopology
{
    private readonly string[] _hostOf;
    private readonly LinkClass _withinHost;

    /// <summary>Takes the name of each rank's host, in rank order.</summary>
    /// <param name="world">The ranks.</param>
    /// <param name="hostOf">One name for each; equal names are one host.</param>
    /// <param name="withinHost">How ranks of one host reach each other: Tcp where the fabric maps no windows.</param>
    /// <exception cref="ArgumentException">Not one name for each rank.</exception>
    public RankTopology(World world, IReadOnlyList<string> hostOf, LinkClass withinHost = LinkClass.Mapped)
    {
        if (hostOf.Count != world.Size)
            throw new ArgumentException($"each of {world.Size} ranks is on a host, got {hostOf.Count} names", nameof(hostOf));
        (World, _hostOf, _withinHost) = (world, [.. hostOf], withinHost);
        Hosts = [.. _hostOf.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>All ranks on one host.</summary>
    public static RankTopology OneHost(World world, string name, LinkClass withinHost = LinkClass.Mapped) =>
        new(world, [.. Enumerable.Repeat(name, world.Size)], withinHost);

    /// <summary>The ranks.</summary>
    public World World { get; }

    /// <summary>The hosts with ranks, in the order of their first ranks.</summary>
    public IReadOnlyList<string> Hosts { get; }

    /// <summary>The host of each rank, in rank order.</summary>
    public IReadOnlyList<string> HostOfRanks => _hostOf;

    /// <summary>The host of a rank.</summary>
    public string HostOf(RankId rank) => _hostOf[rank.Value];

    /// <summary>The ranks of a host, in order.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    public RankGroup RanksOn(string host) =>
        World.Group(Enumerable.Range(0, World.Size).Where(rank => string.Equals(_hostOf[rank], host, StringComparison.Ordinal)));

    /// <summary>Whether two ranks are on one host.</summary>
    public bool SharesHost(RankId a, RankId b) => string.Equals(HostOf(a), HostOf(b), StringComparison.Ordinal);

    /// <summary>The class of the link from one rank to another.</summary>
    public LinkClass Between(RankId a, RankId b) => a == b ? LinkClass.Self : SharesHost(a, b) ? _withinHost : LinkClass.Tcp;
}
