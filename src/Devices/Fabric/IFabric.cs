using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>
/// The bulk plane of one rank: one-sided writes into the symmetric window of every other rank.
/// <para>All members but <see cref="Abort"/>, <see cref="StatusOf"/> and the counters belong to the rank's executor thread. They are
/// synchronous and allocate nothing in steady state. After an abort, or once a wait failed, every call throws
/// <see cref="FabricException"/>. What is sent to a rank that has given up its fabric is dropped; a Wait for that rank ends, unless what
/// it waits for was sent before.</para>
/// </summary>
public interface IFabric : IDisposable
{
    /// <summary>What users call it: <c>inprocess</c>, <c>shm</c>, <c>tcp</c> or <c>mixed</c>.</summary>
    string Name { get; }

    /// <summary>The world whose ranks are reached.</summary>
    World World { get; }

    /// <summary>This rank.</summary>
    RankId Self { get; }

    /// <summary>This rank's own window, all of it or a region. Peers write here.</summary>
    Span<byte> Local(Region region);

    /// <summary>
    /// Writes bytes into a peer's window (or one's own). <paramref name="region"/> is where they go; it must be as long as
    /// <paramref name="source"/>. The source belongs to the fabric until the next <see cref="Notify"/> to that peer returns.
    /// </summary>
    void Put(RankId peer, Region region, ReadOnlySpan<byte> source);

    /// <summary>Raises flag <paramref name="flag"/> of this rank at the peer to <paramref name="value"/>, ordered after all earlier Puts
    /// to that peer. Values only grow.</summary>
    void Notify(RankId peer, int flag, ulong value);

    /// <summary>
    /// Returns once <paramref name="peer"/> has raised its flag here to at least <paramref name="value"/>; what it Put before is then
    /// visible. Spins briefly, yields, then sleeps. Ends with <see cref="FabricException"/> on abort, when the peer is gone, or at the
    /// deadline.
    /// </summary>
    /// <returns>The value seen, at least the one asked for.</returns>
    ulong Wait(RankId peer, int flag, ulong value);

    /// <summary>The value a peer's flag has here now, without waiting.</summary>
    ulong Peek(RankId peer, int flag);

    /// <summary>The peer's window, where this rank can address it directly (same process or shared memory).</summary>
    bool TryMap(RankId peer, Region region, out Span<byte> mapped);

    /// <summary>Where this rank is now; peers read it when they name whom they waited for. Cheap: one or two stores.</summary>
    void SetStatus(StepPoint point);

    /// <summary>The last status a peer published here, default when nothing is known.</summary>
    StepPoint StatusOf(RankId peer);

    /// <summary>
    /// Ends every wait on every rank within milliseconds; callable from any thread, more than once (the first wins).
    /// <paramref name="reason"/> continues a sentence that starts with the culprit: <c>died (exit of process 812)</c>.
    /// </summary>
    void Abort(RankId? culprit, string reason);

    /// <summary>Payload bytes that this rank has Put to other ranks.</summary>
    long BytesSent { get; }
}

/// <summary>A fabric being set up: its own half exists (window, listener), the others' not yet.</summary>
public interface IFabricEndpoint : IDisposable
{
    /// <summary>What the other ranks need to reach this one: a name or an address, ASCII, under 200 characters.</summary>
    string Descriptor { get; }

    /// <summary>
    /// Connects to all ranks, given everybody's descriptor in rank order; every rank does this at the same time. Bounded by the set-up
    /// deadline. The endpoint is consumed: the fabric owns its resources from here on.
    /// </summary>
    IFabric Connect(IReadOnlyList<string> descriptors);
}

/// <summary>How fabrics wait and listen.</summary>
/// <param name="WaitDeadline">A wait longer than this ends with an error that names the peer.</param>
/// <param name="SetupDeadline">The longest <see cref="IFabricEndpoint.Connect"/> may take.</param>
/// <param name="Secret">128 random bits, the same on all ranks of an epoch; a listener drops who does not know them.</param>
/// <param name="ListenHost">Address that tcp binds, a name or a number.</param>
public sealed record FabricOptions(TimeSpan WaitDeadline, TimeSpan SetupDeadline, byte[] Secret, string ListenHost = "127.0.0.1")
{
    /// <summary>Length of <see cref="Secret"/>.</summary>
    public const int SecretBytes = 16;

    /// <summary>What other ranks call this host, where that is not <see cref="ListenHost"/> (as with 0.0.0.0).</summary>
    public string? AdvertisedHost { get; init; }

    /// <summary>
    /// What the host of each rank is called, in rank order: on a mixed fabric only ranks of one name look for each other's memory, so that
    /// one machine can play several hosts. Empty: all look. The same on all ranks.
    /// </summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>What deadlines are measured with.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The longest sleep in one piece; tests make it long, to show that nothing depends on it.</summary>
    internal TimeSpan LongestNap { get; init; } = WaitPolicy.LongestNap;
}
