using Akka.Actor;
using Google.Protobuf;
using Troupe.Devices.All2All;
using static Troupe.Actors.Protocols.WireCheck;
using static Troupe.Actors.Protocols.WireRefs;

namespace Troupe.Actors.Protocols;

/// <summary>The wire form of Membership.cs; the schema is Membership.proto.</summary>
internal static class MembershipWire
{
    public static readonly WireForm[] Forms =
    [
        WireForm.Of<JoinRequest, Wire.JoinRequest>(Write, Read),
        WireForm.Of<JoinRefused, Wire.JoinRefused>(Write, Read),
        WireForm.Of<JoinAccepted, Wire.JoinAccepted>(Write, Read),
        WireForm.Of<NodeAttached, Wire.NodeAttached>(Write, Read),
        WireForm.Of<Assign, Wire.Assign>(Write, Read),
        WireForm.Of<LoadProgress, Wire.LoadProgress>(Write, Read),
        WireForm.Of<Prepared, Wire.Prepared>(Write, Read),
        WireForm.Of<WireUp, Wire.WireUp>(Write, Read),
        WireForm.Of<RankReady, Wire.RankReady>(Write, Read),
        WireForm.Of<EpochStarted, Wire.EpochStarted>(Write, Read),
        WireForm.Of<RankFailed, Wire.RankFailed>(Write, Read),
        WireForm.Of<EpochAborted, Wire.EpochAborted>(Write, Read),
        WireForm.Of<StopNode, Wire.StopNode>(Write, Read),
        WireForm.Of<Drain, Wire.Drain>(Write, Read),
        WireForm.Of<Drained, Wire.Drained>(Write, Read),
    ];

    private const int LinkNumbers = 5;

    private static Wire.Fingerprint Write(Fingerprint m) => new()
    {
        Protocol = m.Protocol, Cluster = m.Cluster, Layout = m.Layout,
        ConfigHash = m.ConfigHash, TensorHash = m.TensorHash, Numbers = m.Numbers,
    };

    private static Fingerprint Read(Wire.Fingerprint p) => new(
        NotNegative(p.Protocol), Text(p.Cluster), Text(p.Layout), Text(p.ConfigHash), Text(p.TensorHash), Text(p.Numbers));

    private static Wire.JoinRequest Write(JoinRequest m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Fingerprint = Write(m.Fingerprint), ConfiguredRank = m.ConfiguredRank, Pid = m.Pid,
        Address = m.Address, Provider = m.Provider, Node = PathOf(m.Node), Host = m.Host,
    };

    private static JoinRequest Read(Wire.JoinRequest p, ExtendedActorSystem system) => new(
        Read(Present(p.Fingerprint)), AtLeast(-1, p.ConfiguredRank), NotNegative(p.Pid), Text(p.Address), Text(p.Provider),
        ActorAt(p.Node, system), Text(p.Host));

    private static Wire.JoinRefused Write(JoinRefused m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, What = m.What, Wanted = m.Wanted, Got = m.Got };

    private static JoinRefused Read(Wire.JoinRefused p) => new(Text(p.What), Text(p.Wanted), Text(p.Got));

    private static Wire.JoinAccepted Write(JoinAccepted m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, LifelineHost = m.LifelineHost, LifelinePort = m.LifelinePort, Token = m.Token,
        Probe = m.Probe,
    };

    private static JoinAccepted Read(Wire.JoinAccepted p) => new(
        Text(p.LifelineHost), Port(p.LifelinePort), Text(p.Token), Text(p.Probe));

    private static Wire.NodeAttached Write(NodeAttached m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Token = m.Token, SharesMemory = m.SharesMemory, SharedFreeBytes = m.SharedFreeBytes,
    };

    private static NodeAttached Read(Wire.NodeAttached p) => new(Text(p.Token), p.SharesMemory, NotNegative(p.SharedFreeBytes));

    private static Wire.EpochSizes Write(EpochSizes m) => new()
    {
        Lanes = m.Lanes, MaxRows = m.MaxRows, MaxRunning = m.MaxRunning, Blocks = m.Blocks, BlockSize = m.BlockSize, Context = m.Context,
        ShadowEvery = m.ShadowEvery, Halves = m.Halves, WaitingHops = m.WaitingHops,
    };

    private static EpochSizes Read(Wire.EpochSizes p) => new(
        NotNegative(p.Lanes), NotNegative(p.MaxRows), NotNegative(p.MaxRunning), NotNegative(p.Blocks), NotNegative(p.BlockSize),
        NotNegative(p.Context), NotNegative(p.ShadowEvery), p.Halves, p.WaitingHops);

    private static Wire.Assign Write(Assign m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, Session = m.Session, Secret = ByteString.CopyFrom(m.Secret.Span),
        Fabric = m.Fabric, Strategy = m.Strategy, Sizes = Write(m.Sizes), Hosts = { m.Hosts },
    };

    private static Assign Read(Wire.Assign p)
    {
        Count(p.Secret.Length, MaxSecret);
        return new(
            ToEpoch(p.Epoch), NotNegative(p.Rank), Text(p.Session), p.Secret.Memory, Text(p.Fabric), Text(p.Strategy),
            Read(Present(p.Sizes)), Each(p.Hosts, Troupe.Devices.Topology.Layout.MaxRanks, hosts => Text(hosts)));
    }

    private static Wire.LoadProgress Write(LoadProgress m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, What = m.What, Fraction = m.Fraction,
    };

    private static LoadProgress Read(Wire.LoadProgress p) => new(ToEpoch(p.Epoch), NotNegative(p.Rank), Text(p.What), Fraction(p.Fraction));

    private static Wire.Prepared Write(Prepared m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, FabricDescriptor = m.Descriptor, Layers = m.Layers, Experts = m.Experts,
        WeightBytes = m.WeightBytes, RankRef = PathOf(m.RankRef), StageRef = PathOf(m.StageRef), Scheduler = PathOrNone(m.Scheduler),
    };

    private static Prepared Read(Wire.Prepared p, ExtendedActorSystem system) => new(
        ToEpoch(p.Epoch), NotNegative(p.Rank), Text(p.FabricDescriptor), Text(p.Layers), Text(p.Experts), NotNegative(p.WeightBytes),
        ActorAt(p.RankRef, system), ActorAt(p.StageRef, system), ActorOrNone(p.Scheduler, system));

    private static Wire.WireUp Write(WireUp m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Descriptors = { m.Descriptors },
        Stages = { m.Stages.Select(actor => PathOf(actor, "stages")) },
        Schedulers = { m.Schedulers.Select(actor => PathOf(actor, "schedulers")) }, Router = PathOf(m.Router),
    };

    private static WireUp Read(Wire.WireUp p, ExtendedActorSystem system) => new(
        ToEpoch(p.Epoch), Each(p.Descriptors, MaxRanks, text => Text(text, "descriptors")),
        Each(p.Stages, MaxRanks, path => ActorAt(path, system, "stages")),
        Each(p.Schedulers, MaxRanks, path => ActorAt(path, system, "schedulers")), ActorAt(p.Router, system));

    private static Wire.RankReady Write(RankReady m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, CheckMs = m.CheckMs, Cores = m.Cores,
        Links = { m.Links is not { } links ? [] : [.. Write(links.Self), .. Write(links.Mapped), .. Write(links.Tcp)] },
    };

    private static double[] Write(LinkConstants? m) => m is null ? new double[LinkNumbers] : [m.MessageUs, m.ByteUs, m.FlagUs, m.RowUs,
        m.RowByteUs];

    private static RankReady Read(Wire.RankReady p)
    {
        double[] links = Numbers(p.Links, 3 * LinkNumbers);
        if (links.Length is not (0 or 3 * LinkNumbers)) throw Refuse("p.Links", $"none or {3 * LinkNumbers} numbers", links.Length);
        return new(ToEpoch(p.Epoch), NotNegative(p.Rank), NotNegative(p.CheckMs), NotNegative(p.Cores), links.Length == 0 ? null
            : new LinkCalibration(Link(links, 0), Link(links, 1), Link(links, 2)));
    }

    private static LinkConstants? Link(double[] links, int at) => links.AsSpan(at * LinkNumbers, LinkNumbers) is var n
        && n.ContainsAnyExcept(0.0) ? new LinkConstants(n[0], n[1], n[2], n[3], n[4]) : null;

    private static Wire.EpochStarted Write(EpochStarted m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Replicas = m.Replicas, Lanes = m.Lanes };

    private static EpochStarted Read(Wire.EpochStarted p) => new(ToEpoch(p.Epoch), NotNegative(p.Replicas), NotNegative(p.Lanes));

    private static Wire.RankFailed Write(RankFailed m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, Culprit = m.Culprit, Error = m.Error };

    private static RankFailed Read(Wire.RankFailed p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Rank), AtLeast(-1, p.Culprit), Text(p.Error));

    private static Wire.EpochAborted Write(EpochAborted m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Culprit = m.Culprit, Reason = m.Reason };

    private static EpochAborted Read(Wire.EpochAborted p) => new(ToEpoch(p.Epoch), ToStep(p.Step), AtLeast(-1, p.Culprit), Text(p.Reason));

    private static Wire.StopNode Write(StopNode m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Reason = m.Reason, Failed = m.Failed };

    private static StopNode Read(Wire.StopNode p) => new(Text(p.Reason), p.Failed);

    private static Wire.Drain Write(Drain m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value };

    private static Drain Read(Wire.Drain p) => new(ToEpoch(p.Epoch));

    private static Wire.Drained Write(Drained m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica };

    private static Drained Read(Wire.Drained p) => new(ToEpoch(p.Epoch), NotNegative(p.Replica));
}
