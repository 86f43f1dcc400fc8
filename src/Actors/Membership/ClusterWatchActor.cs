using Akka.Actor;
using Akka.Cluster;
using Akka.Event;

namespace Troupe.Actors.Membership;

/// <summary>Finds the control node among the cluster's members and tells the local actors that wait for its coordinator.</summary>
public sealed class ClusterWatchActor : ReceiveActor, IWithTimers
{
    /// <summary>Role of the node that hosts coordinator and router.</summary>
    public const string ControlRole = "control";

    /// <summary>Role of nodes that host a rank.</summary>
    public const string RankRole = "rank";

    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(200);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly IActorRef[] _waiting;
    private Address? _control;

    /// <summary>Tells each of <paramref name="waiting"/> once the coordinator is found.</summary>
    public ClusterWatchActor(params IActorRef[] waiting)
    {
        _waiting = waiting;
        Receive<ClusterEvent.MemberUp>(up =>
        {
            if (!up.Member.HasRole(ControlRole) || _control is not null) return;
            _control = up.Member.Address;
            Resolve();
        });
        Receive<ClusterEvent.UnreachableMember>(gone => _log.Warning("{0} is unreachable", gone.Member.Address));
        Receive<string>(_ => Resolve());
        Receive<ActorIdentity>(identity =>
        {
            if (identity.Subject is null) return;
            Timers.CancelAll();
            foreach (IActorRef actor in _waiting) actor.Tell(new CoordinatorFound(identity.Subject));
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents,
        typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.UnreachableMember));

    /// <inheritdoc/>
    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private void Resolve()
    {
        Context.ActorSelection(new RootActorPath(_control) / "user" / "coordinator").Tell(new Identify("coordinator"), Self);
        Timers.StartSingleTimer("resolve", "resolve", Retry);
    }
}
