using Akka.Actor;
using Akka.Event;

namespace Akka.Cluster.Tools.Singleton;

/// <summary>Passes what it gets on to the singleton, wherever that runs; holds a bounded number of messages while nobody knows.</summary>
public sealed class ClusterSingletonProxy : ReceiveActor, IWithTimers
{
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ClusterSingletonProxySettings _settings;
    private readonly string[] _path;
    private readonly MembersByAge _members;
    private readonly Queue<(object Message, IActorRef Sender)> _waiting = new();
    private IActorRef _singleton = ActorRefs.Nobody;
    private UniqueAddress _place;
    private int _search;

    public ClusterSingletonProxy(string singletonManagerPath, ClusterSingletonProxySettings settings)
    {
        _settings = settings;
        _path = [.. singletonManagerPath.Split('/', StringSplitOptions.RemoveEmptyEntries), settings.SingletonName];
        _members = new MembersByAge(settings.Role);
        Receive<ClusterEvent.CurrentClusterState>(state =>
        {
            _members.Apply(state);
            Follow();
        });
        Receive<ClusterEvent.IMemberEvent>(happened =>
        {
            _members.Apply(happened);
            Follow();
        });
        Receive<Search>(_ => Look());
        Receive<ActorIdentity>(identity =>
        {
            bool current = identity.MessageId is int search && search == _search && _singleton.IsNobody();
            if (current && identity.Subject is { } found) Found(found);
        });
        Receive<Terminated>(terminated =>
        {
            if (!terminated.ActorRef.Equals(_singleton)) return;
            _singleton = ActorRefs.Nobody;
            StartSearch();
        });
        ReceiveAny(Pass);
    }

    ITimerScheduler IWithTimers.Timers { get; set; }

    private ITimerScheduler Timers => ((IWithTimers)this).Timers;

    /// <param name="singletonManagerPath">Of the manager on each node, without address: /user/manager.</param>
    /// <param name="settings">Singleton name and role have to equal the manager's.</param>
    public static Props Props(string singletonManagerPath, ClusterSingletonProxySettings settings) =>
        Actor.Props.Create<ClusterSingletonProxy>(singletonManagerPath, settings);

    /// <inheritdoc/>
    protected override void PreStart() => _cluster.Subscribe(Self, typeof(ClusterEvent.IMemberEvent));

    /// <inheritdoc/>
    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private void Follow()
    {
        var oldest = _members.Oldest?.UniqueAddress;
        if (oldest == _place) return;
        _place = oldest;
        if (!_singleton.IsNobody()) Context.Unwatch(_singleton);
        _singleton = ActorRefs.Nobody;
        StartSearch();
    }

    private void StartSearch()
    {
        _search++;
        Timers.StartPeriodicTimer(Search.Instance, Search.Instance, _settings.SingletonIdentificationInterval);
        Look();
    }

    private void Look()
    {
        if (_place is not null && _singleton.IsNobody())
            Context.ActorSelection(new RootActorPath(_place.Address) / _path).Tell(new Identify(_search), Self);
    }

    private void Found(IActorRef singleton)
    {
        _singleton = Context.Watch(singleton);
        Timers.Cancel(Search.Instance);
        while (_waiting.TryDequeue(out var held)) singleton.Tell(held.Message, held.Sender);
    }

    private void Pass(object message)
    {
        if (!_singleton.IsNobody())
        {
            _singleton.Forward(message);
            return;
        }
        _waiting.Enqueue((message, Sender));
        if (_waiting.Count <= _settings.BufferSize) return;
        var (oldest, sender) = _waiting.Dequeue();
        Context.System.EventStream.Publish(new Dropped(oldest, "the buffer of a singleton proxy is full", sender, Self));
    }

    private sealed record Search
    {
        public static readonly Search Instance = new();
    }
}
