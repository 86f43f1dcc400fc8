using Akka.Actor;
using Akka.Event;

namespace Akka.Cluster.Tools.Singleton;

/// <summary>
/// Runs on every node of a role; keeps one instance of an actor alive, as its child on the oldest of these nodes. When that one
/// leaves, its instance is stopped before the next oldest starts its own; when it crashes, the next starts once it is removed.
/// </summary>
public sealed class ClusterSingletonManager : ReceiveActor, IWithTimers
{
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Props _singletonProps;
    private readonly object _terminationMessage;
    private readonly ClusterSingletonManagerSettings _settings;
    private readonly MembersByAge _members;

    /// <summary>Nodes on the way out whose instance has stopped.</summary>
    private readonly HashSet<Address> _handedOver = [];

    /// <summary>Crashed nodes that were removed so recently that their instance might still be there.</summary>
    private readonly HashSet<UniqueAddress> _doubtful = [];

    private readonly List<IActorRef> _waitingForEnd = [];
    private IActorRef _singleton = ActorRefs.Nobody;
    private bool _exiting, _endedByItself;

    /// <exception cref="ArgumentException">This node does not have the role.</exception>
    public ClusterSingletonManager(Props singletonProps, object terminationMessage, ClusterSingletonManagerSettings settings)
    {
        (_singletonProps, _terminationMessage, _settings) = (singletonProps, terminationMessage, settings);
        _members = new MembersByAge(settings.Role);
        if (!string.IsNullOrEmpty(settings.Role) && !_cluster.SelfRoles.Contains(settings.Role))
            throw new ArgumentException($"This cluster member [{_cluster.SelfAddress}] doesn't have the role [{settings.Role}]");

        Receive<ClusterEvent.CurrentClusterState>(state =>
        {
            _members.Apply(state);
            Decide();
        });
        Receive<ClusterEvent.IMemberEvent>(OnMemberEvent);
        Receive<HandOver>(_ =>
        {
            if (_exiting && _singleton.IsNobody()) Sender.Tell(new HandOverDone());
        });
        Receive<HandOverDone>(_ =>
        {
            _handedOver.Add(Sender.Path.Address);
            Decide();
        });
        Receive<MarginPassed>(passed =>
        {
            _doubtful.Remove(passed.Node);
            Decide();
        });
        Receive<Retry>(_ => Decide());
        Receive<StopBeforeExit>(_ =>
        {
            _waitingForEnd.Add(Sender);
            Exit();
        });
        Receive<Terminated>(OnTerminated, terminated => terminated.ActorRef.Equals(_singleton));
    }

    ITimerScheduler IWithTimers.Timers { get; set; }

    private TimeSpan RemovalMargin => _settings.RemovalMargin > TimeSpan.Zero
        ? _settings.RemovalMargin
        : _cluster.Settings.DownRemovalMargin ?? TimeSpan.Zero;

    /// <param name="singletonProps">Of the one actor.</param>
    /// <param name="terminationMessage">Makes it stop when its node leaves.</param>
    /// <param name="settings">Its name, role and times.</param>
    public static Props Props(Props singletonProps, object terminationMessage, ClusterSingletonManagerSettings settings) =>
        Actor.Props.Create<ClusterSingletonManager>(singletonProps, terminationMessage, settings);

    /// <summary>With PoisonPill as termination message.</summary>
    public static Props Props(Props singletonProps, ClusterSingletonManagerSettings settings) =>
        Props(singletonProps, PoisonPill.Instance, settings);

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _cluster.Subscribe(Self, typeof(ClusterEvent.IMemberEvent));
        ((IWithTimers)this).Timers.StartPeriodicTimer(Retry.Instance, Retry.Instance, _settings.HandOverRetryInterval);
        var (self, timeout) = (Self, CoordinatedShutdown.Get(Context.System).Timeout(CoordinatedShutdown.PhaseClusterExiting));
        CoordinatedShutdown.Get(Context.System).AddTask(CoordinatedShutdown.PhaseClusterExiting, $"hand-over-{Self.Path.Name}",
            () => _cluster.IsTerminated ? Task.FromResult(Done.Instance) : self.Ask<Done>(new StopBeforeExit(), timeout));
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _cluster.Unsubscribe(Self);
        foreach (var waiting in _waitingForEnd) waiting.Tell(Done.Instance);
    }

    private void OnMemberEvent(ClusterEvent.IMemberEvent happened)
    {
        bool self = happened.Member.UniqueAddress == _cluster.SelfUniqueAddress;
        var known = _members.Find(happened.Member.UniqueAddress);
        _members.Apply(happened);
        if (self && happened is ClusterEvent.MemberDowned or ClusterEvent.MemberRemoved && !_singleton.IsNobody()) Context.Stop(_singleton);
        if (self && happened is ClusterEvent.MemberExited or ClusterEvent.MemberDowned or ClusterEvent.MemberRemoved) Exit();
        if (happened is ClusterEvent.MemberRemoved removed && !self)
        {
            _handedOver.Remove(removed.Member.Address);
            if (known is not null && removed.PreviousStatus == MemberStatus.Down && RemovalMargin > TimeSpan.Zero) Doubt(known);
        }
        Decide();
    }

    private void Doubt(Member member)
    {
        var me = _members.Find(_cluster.SelfUniqueAddress);
        if (me is not null && me.IsOlderThan(member)) return;
        _doubtful.Add(member.UniqueAddress);
        ((IWithTimers)this).Timers.StartSingleTimer(member.UniqueAddress, new MarginPassed(member.UniqueAddress), RemovalMargin);
    }

    /// <summary>Starts the instance when this is its place and it can be nowhere else.</summary>
    private void Decide()
    {
        var me = _members.Find(_cluster.SelfUniqueAddress);
        bool mine = !_exiting && me is not null && _members.Oldest?.UniqueAddress == _cluster.SelfUniqueAddress;
        if (!mine)
        {
            _endedByItself = false;
            if (!_exiting && !_singleton.IsNobody()) _singleton.Tell(_terminationMessage);
            return;
        }
        var before = _members.LeavingBefore(me).Where(member => !_handedOver.Contains(member.Address)).ToList();
        foreach (var member in before) ManagerAt(member.Address).Tell(new HandOver());
        if (before.Count > 0 || _doubtful.Count > 0 || _endedByItself || !_singleton.IsNobody()) return;
        _log.Info("Singleton manager starts {0}", _settings.SingletonName);
        _singleton = Context.Watch(Context.ActorOf(_singletonProps, _settings.SingletonName));
    }

    private void Exit()
    {
        bool first = !_exiting;
        _exiting = true;
        if (_singleton.IsNobody()) Ended();
        else if (first) _singleton.Tell(_terminationMessage);
    }

    private void OnTerminated(Terminated terminated)
    {
        _singleton = ActorRefs.Nobody;
        _endedByItself = true;
        if (_exiting) Ended();
        else Decide();
    }

    /// <summary>Our instance is no more: the next may start its own, the shutdown may go on.</summary>
    private void Ended()
    {
        if (_members.Oldest is { } next && next.UniqueAddress != _cluster.SelfUniqueAddress)
            ManagerAt(next.Address).Tell(new HandOverDone());
        foreach (var waiting in _waitingForEnd) waiting.Tell(Done.Instance);
        _waitingForEnd.Clear();
    }

    private ActorSelection ManagerAt(Address address) => Context.ActorSelection(new RootActorPath(address) / Self.Path.Elements);

    private sealed record Retry
    {
        public static readonly Retry Instance = new();
    }

    private sealed record StopBeforeExit;

    private sealed record MarginPassed(UniqueAddress Node);
}
