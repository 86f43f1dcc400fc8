namespace Akka.Actor;

/// <summary>What remoting gives to the actor system.</summary>
internal interface IRemoteTransport
{
    /// <summary>Ours, as peers know it; set once <see cref="Start"/> returned.</summary>
    Address LocalAddress { get; }

    /// <summary>Binds and blocks until bound. A taken port throws.</summary>
    Address Start();

    /// <summary>A reference for a path whose address is not ours; uid 0 means any incarnation.</summary>
    IActorRef RefFor(ActorPath path);

    /// <summary>Flushes and closes; called after all actors have stopped.</summary>
    Task StopAsync();
}

/// <summary>Where remoting and cluster plug in. `akka.actor.provider` chooses: local, remote or cluster.</summary>
internal static class ProviderHooks
{
    /// <summary>Creates the transport; called for `remote` and `cluster`, before any actor runs.</summary>
    public static readonly Func<ActorSystemImpl, IRemoteTransport> CreateRemote = Akka.Remote.RemoteProvider.Create;

    /// <summary>Starts the cluster; called last in ActorSystem.Create, for `cluster` only.</summary>
    public static readonly Action<ActorSystemImpl> StartCluster = Akka.Cluster.ClusterProvider.Start;
}
