using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using Akka.Remote;

namespace Akka.Cluster;

/// <summary>Joining was given up: cancelled, or this node's cluster has ended.</summary>
public class ClusterJoinFailedException(string message) : AkkaException(message);

/// <summary>This node's part in a cluster.</summary>
public class Cluster : IExtension
{
    private readonly TaskCompletionSource<Done> _exiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ActorSystemImpl _system;
    private readonly IActorRef _daemon;
    private volatile ClusterEvent.CurrentClusterState _view = new([], [], null);
    private volatile bool _terminated;

    private Cluster(ActorSystemImpl system)
    {
        var transport = system.Transport;
        if (transport is null || system.Settings.Config.GetString("akka.actor.provider") != "cluster")
            throw new Configuration.ConfigurationException($"{system.Name} is in no cluster: akka.actor.provider must be cluster");
        _system = system;
        Settings = new ClusterSettings(system.Settings.Config);
        SelfUniqueAddress = new UniqueAddress(transport.LocalAddress, transport.Uid);
        _daemon = system.SystemActorOf(Props.Create<ClusterDaemon>(this, transport), "cluster");
        AddShutdownTasks(CoordinatedShutdown.Get(system));
        if (Settings.SeedNodes.Count > 0) JoinSeedNodes(Settings.SeedNodes);
    }

    public ClusterSettings Settings { get; }
    public UniqueAddress SelfUniqueAddress { get; }
    public Address SelfAddress => SelfUniqueAddress.Address;
    public ImmutableHashSet<string> SelfRoles => Settings.Roles;
    public ActorSystem System => _system;

    /// <summary>The cluster as this node saw it last.</summary>
    public ClusterEvent.CurrentClusterState State => _view;

    /// <summary>This node; with status Removed before it joined and after it left.</summary>
    public Member SelfMember => _view.Members.FirstOrDefault(member => member.UniqueAddress == SelfUniqueAddress)
        ?? new Member(SelfUniqueAddress, MemberStatus.Removed, Member.NotUpYet, SelfRoles);

    public bool IsUp => SelfMember.Status == MemberStatus.Up;

    /// <summary>The cluster has ended for this node; a new actor system has to be started to join again.</summary>
    public bool IsTerminated => _terminated;

    internal ClusterEvent.CurrentClusterState View
    {
        get => _view;
        set => _view = value;
    }

    public static Cluster Get(ActorSystem system) => Id.Instance.Apply(system);

    /// <summary>Joins through that node; with its own address it forms a cluster. A second join is ignored.</summary>
    public void Join(Address address)
    {
        if (Accepts(address)) _daemon.Tell(new ClusterDaemon.JoinThrough(address), ActorRefs.NoSender);
    }

    /// <summary>Joins through whichever answers; only the first of them may form a cluster.</summary>
    public void JoinSeedNodes(IEnumerable<Address> seedNodes)
    {
        ImmutableArray<Address> seeds = [.. seedNodes.Where(Accepts).Distinct()];
        if (seeds.Length > 0) _daemon.Tell(new ClusterDaemon.JoinSeeds(seeds), ActorRefs.NoSender);
    }

    /// <summary>Ends when this node is Up.</summary>
    /// <exception cref="ClusterJoinFailedException">At once if the cluster has ended, else through the task.</exception>
    public Task JoinAsync(Address address, CancellationToken token = default) => Joining(() => Join(address), token);

    /// <inheritdoc cref="JoinAsync"/>
    public Task JoinSeedNodesAsync(IEnumerable<Address> seedNodes, CancellationToken token = default) =>
        Joining(() => JoinSeedNodes(seedNodes), token);

    public void Leave(Address address) => _daemon.Tell(new MembershipInput.Leave(address), ActorRefs.NoSender);

    public Task LeaveAsync() => LeaveAsync(CancellationToken.None);

    /// <summary>Ends when this node is removed.</summary>
    public Task LeaveAsync(CancellationToken cancellationToken)
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        RegisterOnMemberRemoved(() => left.TrySetResult());
        Leave(SelfAddress);
        return left.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Puts a node out without its consent, at once.</summary>
    public void Down(Address address) => _daemon.Tell(new MembershipInput.Down(address), ActorRefs.NoSender);

    public void Subscribe(IActorRef subscriber, params Type[] to) => Subscribe(subscriber, ClusterEvent.InitialStateAsSnapshot, to);

    /// <exception cref="ArgumentException">A type is not of an IClusterDomainEvent, or there is none.</exception>
    public void Subscribe(IActorRef subscriber, ClusterEvent.SubscriptionInitialStateMode initialStateMode, params Type[] to)
    {
        if (to.Length == 0) throw new ArgumentException("at least one class of IClusterDomainEvent has to be subscribed to");
        var wrong = to.FirstOrDefault(type => !typeof(ClusterEvent.IClusterDomainEvent).IsAssignableFrom(type));
        if (wrong is not null) throw new ArgumentException($"only classes of IClusterDomainEvent can be subscribed to, got {wrong}");
        Tell(publisher => publisher.Subscribe(subscriber, initialStateMode, to));
    }

    public void Unsubscribe(IActorRef subscriber) => Unsubscribe(subscriber, null);

    public void Unsubscribe(IActorRef subscriber, Type to) => Tell(publisher => publisher.Unsubscribe(subscriber, to));

    public void SendCurrentClusterState(IActorRef receiver) => Tell(publisher => publisher.SendState(receiver));

    /// <summary>Calls back once this node is Up; at once if it is.</summary>
    public void RegisterOnMemberUp(Action callback) => Tell(publisher => publisher.OnUp(callback));

    /// <summary>Calls back when the cluster has ended for this node; at once if it has.</summary>
    public void RegisterOnMemberRemoved(Action callback)
    {
        if (IsTerminated) callback();
        else Tell(publisher => publisher.OnRemoved(callback));
    }

    /// <summary>The others know that this node goes; the phases of the shutdown may go on.</summary>
    internal void NoteExiting() => _exiting.TrySetResult(Done.Instance);

    internal void NoteTerminated()
    {
        _terminated = true;
        NoteExiting();
    }

    private void Tell(Action<ClusterPublisher> change) => _daemon.Tell(new ClusterDaemon.SubscriptionChange(change), ActorRefs.NoSender);

    private bool Accepts(Address address)
    {
        if (address.System == SelfAddress.System && address.Protocol == SelfAddress.Protocol) return true;
        _system.Log.Warning("{0} is no node for {1} to join: protocol and system must be the same", address, SelfAddress);
        return false;
    }

    private Task Joining(Action join, CancellationToken token)
    {
        if (IsTerminated) throw new ClusterJoinFailedException("the cluster has ended for this node; join with a new actor system");
        var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        RegisterOnMemberUp(() => joined.TrySetResult());
        RegisterOnMemberRemoved(() => joined.TrySetException(new ClusterJoinFailedException("the node was removed before it was Up")));
        token.Register(() => joined.TrySetException(new ClusterJoinFailedException("joining was cancelled")));
        join();
        return joined.Task;
    }

    private void AddShutdownTasks(CoordinatedShutdown shutdown)
    {
        shutdown.AddTask(CoordinatedShutdown.PhaseClusterLeave, "leave", () =>
        {
            if (IsTerminated || SelfMember.Status is MemberStatus.Removed or MemberStatus.Down) return Task.FromResult(Done.Instance);
            Leave(SelfAddress);
            return _exiting.Task;
        });
        shutdown.AddTask(CoordinatedShutdown.PhaseClusterExitingDone, "exiting-completed", () => IsTerminated
            ? Task.FromResult(Done.Instance) : _daemon.Ask<Done>(new ClusterDaemon.SayReadyToExit(), TimeSpan.FromSeconds(3)));
        shutdown.AddTask(CoordinatedShutdown.PhaseClusterShutdown, "stop-daemon", async () =>
        {
            await _daemon.GracefulStop(TimeSpan.FromSeconds(3));
            return Done.Instance;
        });
    }

    private sealed class Id : ExtensionIdProvider<Cluster>
    {
        public static readonly Id Instance = new();
        public override Cluster CreateExtension(ExtendedActorSystem system) => new((ActorSystemImpl)system);
    }
}
