using System.Collections.Immutable;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.Remote;

namespace Akka.Cluster;

/// <summary>/system/cluster: sends, publishes and keeps time for <see cref="Membership"/> and <see cref="JoinProcess"/>.</summary>
internal sealed class ClusterDaemon : ReceiveActor, IWithTimers
{
    /// <summary>How often a join that has no answer yet is asked for again.</summary>
    private static readonly TimeSpan JoinInterval = TimeSpan.FromMilliseconds(400);

    private readonly Cluster _cluster;
    private readonly RemoteTransport _transport;
    private readonly HeartbeatMonitor _monitor;
    private readonly ClusterPublisher _publisher;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private Membership _state;
    private JoinProcess _join;
    private TimeSpan? _joiningSince;
    private bool _ending;

    public ClusterDaemon(Cluster cluster, RemoteTransport transport)
    {
        (_cluster, _transport) = (cluster, transport);
        _state = new Membership(cluster.SelfUniqueAddress, cluster.Settings.MinNrOfMembers, Gossip.Empty);
        _monitor = new HeartbeatMonitor(transport, cluster.Settings.Detector,
            Math.Min(cluster.Settings.Detector.AcceptablePauseMs, 3 * cluster.Settings.Detector.IntervalMs));
        _publisher = new ClusterPublisher(cluster, Context);
        transport.IsMember = address => cluster.View.Members.Any(member => member.Address == address);

        Receive<JoinSeeds>(join => Begin(now => JoinProcess.WithSeeds(Self_, join.Seeds, cluster.Settings.SeedNodeTimeout,
            cluster.Settings.RetryUnsuccessfulJoinAfter, now)));
        Receive<JoinThrough>(join => Begin(now => JoinProcess.Through(Self_, join.Contact, now)));
        Receive<SeedQuestion>(_ => Sender.Tell(new SeedAnswer(_state.SelfMember is { Stage: < 3 })));
        Receive<SeedAnswer>(answer =>
        {
            if (_join is not null) Follow(_join.Answered(Sender.Path.Address, answer.Accepts, Now));
        });
        Receive<JoinRequest>(OnJoinRequest);
        Receive<GossipEnvelope>(envelope => Step(envelope.Welcome && _join?.Contact == envelope.From.Address
            ? new MembershipInput.Welcomed(envelope.Gossip) : new MembershipInput.Received(envelope.From, envelope.Gossip)));
        Receive<ReadyToExit>(ready => Step(new MembershipInput.ReadyToExit(ready.Node)));
        Receive<MembershipInput>(Step);
        Receive<Ticks>(OnTick);
        Receive<SayReadyToExit>(_ =>
        {
            foreach (var node in _state.Gossip.Members.Keys.Where(node => node != cluster.SelfUniqueAddress))
                DaemonAt(node.Address).Tell(new ReadyToExit(cluster.SelfUniqueAddress));
            Sender.Tell(Done.Instance);
        });
        Receive<ThisActorSystemQuarantinedEvent>(OnQuarantined);
        Receive<Terminated>(terminated => _publisher.Unsubscribe(terminated.ActorRef, null));
        Receive<SubscriptionChange>(change => change.Apply(_publisher));
    }

    public ITimerScheduler Timers { get; set; }

    private Address Self_ => _cluster.SelfAddress;

    private static TimeSpan Now => Context.System.Scheduler.MonotonicClock;

    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(ThisActorSystemQuarantinedEvent));
        var settings = _cluster.Settings;
        Timers.StartPeriodicTimer(Ticks.Gossip, Ticks.Gossip, settings.GossipInterval);
        Timers.StartPeriodicTimer(Ticks.Lead, Ticks.Lead, settings.LeaderActionsInterval);
        Timers.StartPeriodicTimer(Ticks.Reap, Ticks.Reap, settings.UnreachableNodesReaperInterval);
        Timers.StartPeriodicTimer(Ticks.Beat, Ticks.Beat, TimeSpan.FromMilliseconds(settings.Detector.IntervalMs));
    }

    protected override void PostStop()
    {
        _monitor.Beat([]);
        _publisher.End(_state.Gossip);
    }

    /// <summary>Its state cannot be had again: the node has to end.</summary>
    protected override void PreRestart(Exception reason, object message)
    {
        End(CoordinatedShutdown.ClusterDowningReason.Instance);
        base.PreRestart(reason, message);
    }

    private void Begin(Func<TimeSpan, JoinProcess> start)
    {
        if (_join is not null || _state.SelfMember is not null || _ending) return;
        _joiningSince = Now;
        Timers.StartPeriodicTimer(Ticks.Join, Ticks.Join, JoinInterval);
        Follow(start(Now).Tick(Now));
    }

    private void Follow((JoinProcess Process, JoinStep Step) next)
    {
        _join = next.Process;
        switch (next.Step)
        {
            case JoinStep.Ask ask:
                foreach (var seed in ask.Seeds) AskNow(seed, new SeedQuestion());
                break;
            case JoinStep.Join join:
                AskNow(join.Contact, new JoinRequest(_cluster.SelfUniqueAddress, _cluster.SelfRoles));
                break;
            case JoinStep.FormCluster:
                _log.Info("Cluster Node [{0}] forms a new cluster", Self_);
                Step(new MembershipInput.Join(_cluster.SelfUniqueAddress, _cluster.SelfRoles));
                break;
        }
    }

    /// <summary>Joining nodes start at about the same time: one that was not there a moment ago may be there now.</summary>
    private void AskNow(Address address, object question)
    {
        _transport.PeerFor(address)?.Ungate();
        DaemonAt(address).Tell(question);
    }

    private IActorRef DaemonAt(Address address) => _transport.RefFor(new RootActorPath(address) / "system" / "cluster");

    private void OnJoinRequest(JoinRequest request)
    {
        var address = request.Node.Address;
        if (address.System != Self_.System || address.Protocol != Self_.Protocol)
            _log.Warning("{0} may not join {1}: its system or protocol has another name", address, Self_);
        else if (address != Self_) Step(new MembershipInput.Join(request.Node, request.Roles));
    }

    private void OnTick(Ticks tick)
    {
        switch (tick)
        {
            case Ticks.Join:
                if (_joiningSince is { } since && Now - since > _cluster.Settings.ShutdownAfterUnsuccessfulJoinSeedNodes)
                    End(CoordinatedShutdown.ClusterJoinUnsuccessfulReason.Instance);
                else if (_join is not null) Follow(_join.Tick(Now));
                break;
            case Ticks.Gossip:
                Step(new MembershipInput.GossipTick());
                break;
            case Ticks.Beat:
                _monitor.Beat([.. Monitored().Select(member => member.Address)]);
                break;
            case Ticks.Reap when _state.SelfMember is not null:
                Step(new MembershipInput.Observed([.. Monitored().Where(IsUnreachable).Select(member => member.UniqueAddress)]));
                break;
        }
    }

    private IEnumerable<Member> Monitored() => _state.Gossip.MonitoredBy(_state.Self, _cluster.Settings.MonitoredByNrOfMembers);

    private bool IsUnreachable(Member member) =>
        !_monitor.IsAvailable(member.Address) || _transport.IsOtherIncarnation(member.Address, member.UniqueAddress.Uid);

    private void OnQuarantined(ThisActorSystemQuarantinedEvent quarantined)
    {
        if (_state.Gossip.Find(quarantined.RemoteAddress) is null || _ending) return;
        _log.Error("{0} has put this node out of the cluster", quarantined.RemoteAddress);
        End(CoordinatedShutdown.ClusterDowningReason.Instance);
    }

    private void Step(MembershipInput input)
    {
        var before = _state;
        (_state, var outputs) = before.Step(input);
        foreach (var output in outputs) DaemonAt(output.To.Address).Tell(new GossipEnvelope(_state.Self, output.Welcome, _state.Gossip));
        if (!ReferenceEquals(before.Gossip, _state.Gossip)) Tell(before.Gossip);
        if (_state.MayLead) Step(new MembershipInput.Lead());
    }

    /// <summary>The views before and now differ: subscribers, the transport and the end of this node may depend on it.</summary>
    private void Tell(Gossip before)
    {
        if (_state.SelfMember is not null) (_join, _joiningSince) = (null, null);
        if (_join is null) Timers.Cancel(Ticks.Join);
        _publisher.Publish(before, _state.Gossip);
        Forget(before);
        if (_state.IsExpelled) End(CoordinatedShutdown.ClusterDowningReason.Instance);
        else if (_state.SelfMember is { Status: MemberStatus.Exiting }) End(CoordinatedShutdown.ClusterLeavingReason.Instance);
    }

    /// <summary>Ends death watch over members that were removed; those put out are not spoken to again.</summary>
    private void Forget(Gossip before)
    {
        foreach (var node in before.Members.Keys)
        {
            if (node == _state.Self || _state.Gossip.Members.ContainsKey(node)) continue;
            bool downed = _state.Gossip.Removed.GetValueOrDefault(node) is { Downed: true };
            if (downed) _transport.Quarantine(node.Address, node.Uid, "removed from the cluster as Down");
            else _transport.IncarnationGone(node.Address, node.Uid);
        }
    }

    private void End(CoordinatedShutdown.Reason reason)
    {
        if (_ending) return;
        _ending = true;
        _cluster.NoteExiting();
        bool downed = reason is CoordinatedShutdown.ClusterDowningReason;
        _log.Info("Cluster Node [{0}] ends: {1}", Self_, downed ? "it was set Down" : reason.GetType().Name);
        if (!downed || _cluster.Settings.RunCoordinatedShutdownWhenDown) _ = CoordinatedShutdown.Get(Context.System).Run(reason);
        else Context.Stop(Self);
    }

    /// <summary>What the daemon is reminded of.</summary>
    private enum Ticks
    {
        Join,
        Gossip,
        Lead,
        Reap,
        Beat,
    }

    internal sealed record JoinSeeds(ImmutableArray<Address> Seeds);

    internal sealed record JoinThrough(Address Contact);

    internal sealed record SayReadyToExit;

    /// <summary>Something for the publisher, in turn with what it publishes.</summary>
    internal sealed record SubscriptionChange(Action<ClusterPublisher> Apply);
}
