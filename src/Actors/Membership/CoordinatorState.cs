using System.Collections.Immutable;
using System.Security.Cryptography;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Membership;

/// <summary>How far a node has come.</summary>
public enum NodePhase
{
    Joining,
    Attached,
    Loading,
    Prepared,
    Checking,
    Ready,
    Lost,
}

/// <summary>How far the cluster has come.</summary>
public enum ClusterPhase
{
    Gathering,
    Loading,
    Checking,
    Ready,
    Draining,
    Aborting,
    Ended,
}

/// <summary>A rank node as the coordinator knows it. Rank is -1 until assigned.</summary>
public sealed record NodeEntry(JoinRequest Join, JoinAccepted Accepted, int Rank, NodePhase Phase)
{
    /// <summary>Names the node on its lifeline, and here.</summary>
    public string Token => Accepted.Token;

    /// <summary>Whether the node opened the probe file: it shares memory with the control node.</summary>
    public bool SharesMemory { get; init; }

    /// <summary>Bytes free for windows in its host's shared memory when it came.</summary>
    public long SharedFreeBytes { get; init; }

    /// <summary>How much of its shard it has loaded, in [0, 1].</summary>
    public double LoadFraction { get; init; }

    /// <summary>What it said when it was prepared.</summary>
    public Prepared? Prepared { get; init; }

    /// <summary>What it said when it was ready.</summary>
    public RankReady? Ready { get; init; }
}

/// <summary>What the coordinator's shell is to do.</summary>
public abstract record Effect
{
    /// <summary>Send a message.</summary>
    public sealed record Tell(IActorRef To, object Message) : Effect;

    /// <summary>Let the lifeline with this token in.</summary>
    public sealed record Expect(string Token) : Effect;

    /// <summary>Tell Akka's cluster that a node is gone, without waiting for its failure detector.</summary>
    public sealed record Down(string Address) : Effect;

    /// <summary>Start the router for the new epoch.</summary>
    public sealed record StartRouter(string Fabric, ImmutableArray<IActorRef> Stages) : Effect;

    /// <summary>Tell the user what is not as asked for, and what happens instead.</summary>
    public sealed record Warn(string Line) : Effect;

    /// <summary>Every rank is ready; the router learns what they measured before any scheduler makes an offer.</summary>
    public sealed record BecameReady(ImmutableArray<LinkCalibration> Measured, int Cores) : Effect;

    /// <summary>Give the survivors a moment to report where they were, then end.</summary>
    public sealed record CollectReports : Effect;

    /// <summary>The cluster is over. An error, or null after a drain.</summary>
    public sealed record End(string? Error) : Effect;
}

/// <summary>What the coordinator decides with: fixed for the life of the cluster.</summary>
public sealed record ClusterTerms(Fingerprint Fingerprint, Layout Layout, string Fabric, string Strategy, EpochSizes Sizes)
{
    /// <summary>Bytes of one rank's window, given the host of every rank.</summary>
    public required Func<IReadOnlyList<string>, long> WindowBytes { get; init; }
}

/// <summary>
/// The coordinator's mind, pure: gathers nodes, assigns ranks, takes them through loading and checking to ready, and ends the epoch when
/// one is lost.
/// </summary>
public sealed partial record CoordinatorState(
    ClusterTerms Terms, Epoch Epoch, ClusterPhase Phase, ImmutableDictionary<string, NodeEntry> Nodes,
        ImmutableSortedSet<int> DrainedReplicas,
    string? Failure, ImmutableSortedSet<int> Reported)
{
    /// <summary>A coordinator that has met nobody.</summary>
    public static CoordinatorState Start(ClusterTerms terms) =>
        new(terms, new Epoch(1), ClusterPhase.Gathering, ImmutableDictionary<string, NodeEntry>.Empty, [], null, []);

    /// <summary>The nodes with ranks, in rank order.</summary>
    public ImmutableArray<NodeEntry> ByRank => [.. Nodes.Values.Where(n => n.Rank >= 0).OrderBy(n => n.Rank)];

    /// <summary>What keeps the cluster from being ready, for people; null when it is.</summary>
    public string? WaitingFor => Phase switch
    {
        ClusterPhase.Gathering => Nodes.Values.Count(n => n.Phase >= NodePhase.Attached) is var here
            ? $"{Terms.Layout.Ranks - here} of {Terms.Layout.Ranks} ranks to join" : null,
        ClusterPhase.Loading => $"{Ranks(n => n.Phase < NodePhase.Prepared)} to load",
        ClusterPhase.Checking => $"{Ranks(n => n.Phase < NodePhase.Ready)} to pass the self-check",
        ClusterPhase.Draining => "running requests to end (draining)",
        ClusterPhase.Aborting or ClusterPhase.Ended => Failure is null ? "nothing: the cluster has ended" : $"nothing: {Failure}",
        _ => null,
    };

    /// <summary>
    /// A node asks to join. <paramref name="accept"/> is what to answer if it may; its token names the node from here on.
    /// </summary>
    public (CoordinatorState, ImmutableList<Effect>) On(JoinRequest join, JoinAccepted accept)
    {
        // A node that has heard no answer yet asks again. The first answer may be on its way: the second must say the same.
        if (Nodes.Values.FirstOrDefault(n => n.Join.Node.Equals(join.Node)) is { } known)
            return (this, [new Effect.Tell(join.Node, known.Accepted)]);
        if (Refusal(join) is { } refusal) return (this, [new Effect.Tell(join.Node, refusal)]);
        return (this with { Nodes = Nodes.Add(accept.Token, new NodeEntry(join, accept, -1, NodePhase.Joining)) },
            [new Effect.Expect(accept.Token), new Effect.Tell(join.Node, accept)]);
    }

    /// <summary>A node holds its lifeline. Once all do, ranks are assigned.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(NodeAttached attached)
    {
        if (!Nodes.TryGetValue(attached.Token, out NodeEntry? node) || node.Phase != NodePhase.Joining) return (this, []);
        CoordinatorState state = With(node with
        {
            Phase = NodePhase.Attached, SharesMemory = attached.SharesMemory, SharedFreeBytes = attached.SharedFreeBytes,
        });
        bool all = state.Nodes.Count == Terms.Layout.Ranks && state.Nodes.Values.All(n => n.Phase == NodePhase.Attached);
        return all ? state.AssignRanks() : (state, []);
    }

    /// <summary>A rank reports how far it has loaded.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(LoadProgress progress) =>
        progress.Epoch == Epoch && Find(progress.Rank) is { } node ? (With(node with { LoadFraction = progress.Fraction }), [])
            : (this, []);

    /// <summary>A rank has loaded. Once all have, everybody learns of everybody.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(Prepared prepared)
    {
        if (prepared.Epoch != Epoch || Phase != ClusterPhase.Loading || Find(prepared.Rank) is not { Phase: NodePhase.Loading } node)
            return (this, []);
        CoordinatorState state = With(node with { Phase = NodePhase.Prepared, LoadFraction = 1, Prepared = prepared });
        if (state.ByRank.Any(n => n.Phase != NodePhase.Prepared)) return (state, []);
        ImmutableArray<IActorRef> stages = [.. state.ByRank.Select(n => n.Prepared!.StageRef)];
        return (state with { Phase = ClusterPhase.Checking,
            Nodes = state.Nodes.ToImmutableDictionary(n => n.Key, n => n.Value with { Phase = NodePhase.Checking }) },
            [new Effect.StartRouter(state.Fabric, stages)]);
    }

    /// <summary>The router runs: the ranks may connect.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnRouter(IActorRef router)
    {
        var wire = new WireUp(Epoch, [.. ByRank.Select(n => n.Prepared!.Descriptor)], [.. ByRank.Select(n => n.Prepared!.StageRef)],
            Schedulers, router);
        return (this, [.. ByRank.Select(n => new Effect.Tell(n.Prepared!.RankRef, wire))]);
    }

    /// <summary>A rank has passed its self-check. Once all have, the epoch starts.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(RankReady ready)
    {
        if (ready.Epoch != Epoch || Phase != ClusterPhase.Checking || Find(ready.Rank) is not { } node) return (this, []);
        CoordinatorState state = With(node with { Phase = NodePhase.Ready, Ready = ready });
        if (state.ByRank.Any(n => n.Phase != NodePhase.Ready)) return (state, []);
        var started = new EpochStarted(Epoch, Terms.Layout.Replicas, Terms.Sizes.Lanes);
        RankReady[] said = [.. state.ByRank.Select(n => n.Ready!)];
        return (state with { Phase = ClusterPhase.Ready },
            [new Effect.BecameReady([.. said.Select(r => r.Links).OfType<LinkCalibration>()], said.Min(r => r.Cores)),
                .. state.Schedulers.Select(s => new Effect.Tell(s, started))]);
    }

    /// <summary>The shape of steps, with where the ranks are and how they reach each other.</summary>
    public StepShape Place(StepShape sizes) =>
        sizes.On(Fabric, [.. HostsByRank.Chunk(Terms.Layout.Replicas * Terms.Layout.Tensor)]);

    /// <summary>The schedulers, by replica.</summary>
    public ImmutableArray<IActorRef> Schedulers =>
        [.. ByRank.Where(n => n.Prepared?.Scheduler is not null).Select(n => n.Prepared!.Scheduler!)];

    /// <summary>The fabric in use; what was asked for until the ranks are assigned.</summary>
    public string Fabric { get; private init; } = Terms.Fabric;

    /// <summary>The host of every rank, in rank order: as configured, else the control node's memory, else the address.</summary>
    private string[] HostsByRank => [.. ByRank.Select(n => n.Join.Host.Split(',') is var names
        && names[n.Rank % names.Length] is { Length: > 0 } name
        ? name : n.SharesMemory ? "" : n.Join.Address.Split(':')[0])];

    private NodeEntry? Find(int rank) => Nodes.Values.FirstOrDefault(n => n.Rank == rank);

    private CoordinatorState With(NodeEntry node) => this with { Nodes = Nodes.SetItem(node.Token, node) };

    private string Ranks(Func<NodeEntry, bool> which) => "rank " + string.Join(", ", ByRank.Where(which).Select(n => n.Rank));

    private JoinRefused? Refusal(JoinRequest join)
    {
        if (Terms.Fingerprint.DifferenceFrom(join.Fingerprint) is { } difference)
            return new JoinRefused(difference.What, difference.Wanted, difference.Got);
        int ranks = Terms.Layout.Ranks;
        if (Phase != ClusterPhase.Gathering || Nodes.Count >= ranks)
            return new JoinRefused("number of ranks", $"{ranks}, which have all joined", "one more");
        if (join.ConfiguredRank >= ranks) return new JoinRefused("rank", $"one in [0, {ranks})", $"{join.ConfiguredRank}");
        if (join.ConfiguredRank >= 0 && Nodes.Values.Any(n => n.Join.ConfiguredRank == join.ConfiguredRank))
            return new JoinRefused("rank", "one that no other node has", $"{join.ConfiguredRank}");
        return null;
    }

    private (CoordinatorState, ImmutableList<Effect>) AssignRanks()
    {
        int[] free = [.. Enumerable.Range(0, Terms.Layout.Ranks).Except(Nodes.Values.Select(n => n.Join.ConfiguredRank))];
        var chosen = Nodes.Values.Where(n => n.Join.ConfiguredRank < 0).OrderBy(n => n.Join.Address, AddressOrder.Instance)
            .Zip(free, (node, rank) => node with { Rank = rank })
            .Concat(Nodes.Values.Where(n => n.Join.ConfiguredRank >= 0).Select(n => n with { Rank = n.Join.ConfiguredRank }))
            .Select(n => n with { Phase = NodePhase.Loading });
        CoordinatorState state = this with { Phase = ClusterPhase.Loading, Nodes = chosen.ToImmutableDictionary(n => n.Token) };
        string[] hosts = state.HostsByRank;
        FabricChoice choice = FabricChoice.Of(Terms.Fabric, state.ByRank, hosts, Terms.WindowBytes(hosts));
        state = state with { Fabric = choice.Fabric };
        string session = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        byte[] secret = RandomNumberGenerator.GetBytes(16);
        ImmutableList<Effect> warn = choice.Warning is { } line ? [new Effect.Warn(line)] : [];
        return (state, warn.AddRange(state.ByRank.Select(n => new Effect.Tell(n.Join.Node,
            new Assign(Epoch, n.Rank, session, secret, choice.Fabric, Terms.Strategy, Terms.Sizes, hosts)))));
    }
}

/// <summary>Orders addresses by host, then by port as a number.</summary>
internal sealed class AddressOrder : IComparer<string>
{
    public static readonly AddressOrder Instance = new();

    public int Compare(string? x, string? y)
    {
        (string host, int port) a = Split(x), b = Split(y);
        int hosts = string.CompareOrdinal(a.host, b.host);
        return hosts != 0 ? hosts : a.port.CompareTo(b.port);
    }

    private static (string, int) Split(string? address)
    {
        int colon = address?.LastIndexOf(':') ?? -1;
        return colon > 0 && int.TryParse(address.AsSpan(colon + 1), out int port) ? (address![..colon], port) : (address ?? "", 0);
    }
}
