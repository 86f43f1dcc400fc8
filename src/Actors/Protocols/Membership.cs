using Akka.Actor;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

// The conversation by which nodes become a world: join, attach, assign, prepare, wire, ready; and how it ends.

/// <summary>What a node must share with the cluster it joins; any difference is refused with both values.</summary>
public sealed record Fingerprint(int Protocol, string Cluster, string Layout, string ConfigHash, string TensorHash, string Numbers)
{
    /// <summary>The protocol that this build speaks. Raised when a message changes its meaning.</summary>
    public const int CurrentProtocol = 1;

    /// <summary>The first value that differs, or null.</summary>
    public (string What, string Wanted, string Got)? DifferenceFrom(Fingerprint joining) =>
        (Protocol, joining.Protocol) is var (p, q) && p != q ? ("protocol version", $"{p}", $"{q}")
        : Differ("cluster name", Cluster, joining.Cluster)
            ?? Differ("model (hash of config.json)", ConfigHash, joining.ConfigHash)
            ?? Differ("model (hash of tensor names, types and shapes)", TensorHash, joining.TensorHash)
            ?? Differ("layout", Layout, joining.Layout) // its split follows from the model
            ?? Differ("numbers (math, rows, kv, weights)", Numbers, joining.Numbers);

    private static (string, string, string)? Differ(string what, string wanted, string got) =>
        string.Equals(wanted, got, StringComparison.Ordinal) ? null : (what, wanted, got);
}

/// <summary>
/// A rank node asks to take part. <paramref name="ConfiguredRank"/> is -1 where the coordinator may choose. <paramref name="Host"/> is what
/// its host is called, or names by rank separated by commas; empty to find out.
/// </summary>
public sealed record JoinRequest(
    Fingerprint Fingerprint, int ConfiguredRank, int Pid, string Address, string Provider, IActorRef Node, string Host)
    : ProtocolMessage(default, default);

/// <summary>The coordinator's no, with the value that differs.</summary>
public sealed record JoinRefused(string What, string Wanted, string Got) : ProtocolMessage(default, default);

/// <summary>
/// The coordinator's yes: hold a connection to the lifeline (its end is how each side learns of the other's death), and say
/// whether the host probe is seen here, which tells who shares memory.
/// </summary>
public sealed record JoinAccepted(string LifelineHost, int LifelinePort, string Token, string Probe)
    : ProtocolMessage(default, default);

/// <summary>
/// The node holds its lifeline. <paramref name="SharedFreeBytes"/>: what is free for windows in its host's shared memory.
/// </summary>
public sealed record NodeAttached(string Token, bool SharesMemory, long SharedFreeBytes) : ProtocolMessage(default, default);

/// <summary>Sizes that every rank of an epoch must agree on, decided by the control node.</summary>
/// <param name="Lanes">Micro-batches in flight.</param>
/// <param name="MaxRows">The most rows a replica brings to a step.</param>
/// <param name="MaxRunning">Sequences that a replica holds at once, and so its slots.</param>
/// <param name="Blocks">KV blocks of a replica.</param>
/// <param name="BlockSize">Positions in a KV block.</param>
/// <param name="Context">Positions that a sequence may have.</param>
/// <param name="ShadowEvery">One step in so many is shadow checked: those whose number it divides. 0 for none.</param>
/// <param name="Halves">Whether steps may send their rows to the experts in two halves, which needs windows for both.</param>
/// <param name="WaitingHops">Whether a stage hands rows on only when the next one has posted its receive.</param>
public sealed record EpochSizes(int Lanes, int MaxRows, int MaxRunning, int Blocks, int BlockSize, int Context, int ShadowEvery = 0,
    bool Halves = false, bool WaitingHops = false)
{
    /// <summary>Whether all ranks check this step; they agree without a word.</summary>
    public bool Shadows(StepId step) => ShadowEvery > 0 && step.Value % ShadowEvery == 0;
}

/// <summary>
/// A node's rank in the coming epoch, and what it needs to build its half of the fabric. <paramref name="Hosts"/>: the host of every
/// rank, in rank order; empty where all share one.
/// </summary>
public sealed record Assign(
    Epoch Epoch, int Rank, string Session, ReadOnlyMemory<byte> Secret, string Fabric, string Strategy, EpochSizes Sizes,
    IReadOnlyList<string> Hosts)
    : ProtocolMessage(Epoch, default);

/// <summary>How far a rank has loaded, for people who wait. Fraction in [0, 1].</summary>
public sealed record LoadProgress(Epoch Epoch, int Rank, string What, double Fraction) : ProtocolMessage(Epoch, default);

/// <summary>The rank has loaded its shard and opened its half of the fabric.</summary>
public sealed record Prepared(
    Epoch Epoch, int Rank, string Descriptor, string Layers, string Experts, long WeightBytes, IActorRef RankRef, IActorRef StageRef,
        IActorRef? Scheduler)
    : ProtocolMessage(Epoch, default);

/// <summary>Everybody's descriptors and actors in rank order: connect, then check yourself with the largest batch.</summary>
public sealed record WireUp(Epoch Epoch, IReadOnlyList<string> Descriptors, IReadOnlyList<IActorRef> Stages,
    IReadOnlyList<IActorRef> Schedulers, IActorRef Router)
    : ProtocolMessage(Epoch, default);

/// <summary>
/// The rank has mapped its windows and passed its self-check. <paramref name="Cores"/>: of its host, as far as it may use them;
/// <paramref name="Links"/>: what it measured of its links, null where its group is itself alone or has no experts to reach.
/// </summary>
public sealed record RankReady(Epoch Epoch, int Rank, double CheckMs, int Cores, LinkCalibration? Links) : ProtocolMessage(Epoch, default);

/// <summary>All ranks are ready: requests may come.</summary>
public sealed record EpochStarted(Epoch Epoch, int Replicas, int Lanes) : ProtocolMessage(Epoch, default);

/// <summary>A rank's executor ended with an error. <paramref name="Culprit"/> is -1 where no rank is to blame.</summary>
public sealed record RankFailed(Epoch Epoch, StepId Step, int Rank, int Culprit, string Error) : ProtocolMessage(Epoch, Step);

/// <summary>
/// The epoch is over: end every wait. <paramref name="Reason"/> continues a sentence that starts with the culprit's name.
/// </summary>
public sealed record EpochAborted(Epoch Epoch, StepId Step, int Culprit, string Reason) : ProtocolMessage(Epoch, Step);

/// <summary>The node is to stop, and says why in its log.</summary>
public sealed record StopNode(string Reason, bool Failed) : ProtocolMessage(default, default);

/// <summary>Accept nothing new; answer when the last request has ended.</summary>
public sealed record Drain(Epoch Epoch) : ProtocolMessage(Epoch, default);

/// <summary>This scheduler has nothing left to do.</summary>
public sealed record Drained(Epoch Epoch, int Replica) : ProtocolMessage(Epoch, default);
