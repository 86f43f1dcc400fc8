using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Devices.Fabric;

namespace Troupe.Actors.Membership;

/// <summary>Where the coordinator is; said by the cluster watch, or by the host of an in-process world.</summary>
public sealed record CoordinatorFound(IActorRef Coordinator);

/// <summary>What a rank node is started with.</summary>
/// <param name="Fingerprint">What it shares with the cluster.</param>
/// <param name="ConfiguredRank">The rank it insists on, or -1.</param>
/// <param name="Address">How people and the cluster call it: host:port.</param>
/// <param name="Provider">Which implementation of the Akka.NET API it runs on.</param>
/// <param name="Rank">What the rank itself needs.</param>
/// <param name="Stopped">Told once when the node is to stop: the reason, and whether it is a failure.</param>
public sealed record NodeSetup(
    Fingerprint Fingerprint, int ConfiguredRank, string Address, string Provider, RankSetup Rank, Action<string, bool> Stopped)
{
    /// <summary>What its host is called; empty to find out.</summary>
    public string Host { get; init; } = "";
}

/// <summary>Takes one rank node into the cluster: joins, holds the lifeline, and hosts the rank it is assigned.</summary>
public sealed class NodeActor : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodeSetup _setup;
    private IActorRef? _coordinator;
    private JoinAccepted? _accepted;
    private Lifeline? _lifeline;
    private bool _stopping;

    /// <summary>A node that waits for the coordinator to be found.</summary>
    public NodeActor(NodeSetup setup)
    {
        _setup = setup;
        Receive<CoordinatorFound>(found =>
        {
            if (_coordinator is not null) return;
            _coordinator = found.Coordinator;
            Join();
        });
        Receive<string>(_ => Join());
        Receive<JoinRefused>(refused => StopNode(
            $"the cluster refused this node: {refused.What} differs: it wants {refused.Wanted}, this node has {refused.Got}",
                failed: true));
        Receive<JoinAccepted>(accepted =>
        {
            if (_accepted is not null) return;
            Timers.CancelAll();
            _accepted = accepted;
            Attach(accepted);
        });
        Receive<LifelineHeld>(held =>
        {
            _lifeline = held.Lifeline;
            long free = _setup.Rank.Hub is null ? HostProbe.FreeBytes() : 0; // ranks of one process need none
            _coordinator.Tell(new NodeAttached(_accepted!.Token, HostProbe.Sees(_accepted.Probe), free));
        });
        Receive<Assign>(assign =>
        {
            _log.Info("assigned rank {0} of {1}, {2}", assign.Rank, _setup.Fingerprint.Layout, assign.Epoch);
            Context.ActorOf(Props.Create(() => new RankActor(_setup.Rank, assign, _coordinator!)), "rank");
        });
        Receive<StopNode>(stop => StopNode(stop.Reason, stop.Failed));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PostStop() => _lifeline?.Dispose();

    /// <inheritdoc/>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(error =>
    {
        // A rank's state is its device's: it cannot be restarted inside an epoch.
        Self.Tell(new StopNode($"the rank's actor failed: {error.Message}", true));
        return Directive.Stop;
    });

    private void Join()
    {
        if (_coordinator is null || _accepted is not null || _stopping) return;
        _coordinator.Tell(new JoinRequest(_setup.Fingerprint, _setup.ConfiguredRank, Environment.ProcessId, _setup.Address,
            _setup.Provider, Self, _setup.Host));
        Timers.StartSingleTimer("join", "join", Retry);
    }

    private void Attach(JoinAccepted accepted)
    {
        if (accepted.LifelinePort == 0)
        {
            Self.Tell(new LifelineHeld(null));
            return;
        }
        IActorRef self = Self;
        Lifeline.ConnectAsync(accepted.LifelineHost, accepted.LifelinePort, accepted.Token,
                () => self.Tell(new StopNode("the control node is gone: its connection ended", true), ActorRefs.NoSender),
                    CancellationToken.None)
            .PipeTo(Self, success: lifeline => new LifelineHeld(lifeline),
                failure: e => new StopNode(
                    $"cannot reach the control node's lifeline at {accepted.LifelineHost}:{accepted.LifelinePort}: {e.Message}", true));
    }

    private void StopNode(string reason, bool failed)
    {
        if (_stopping) return;
        _stopping = true;
        foreach (IActorRef child in Context.GetChildren()) child.Tell(new StopNode(reason, failed));
        _setup.Stopped(reason, failed);
    }

    private sealed record LifelineHeld(Lifeline? Lifeline);
}
