using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Hosting;

/// <summary>Puts the actors of a node into an actor system; the same for a real cluster and for a world inside one process.</summary>
public static class Nodes
{
    /// <summary>
    /// Every actor system of ours has this name, so that a node of another cluster is met and refused by our join, not silently ignored.
    /// </summary>
    public const string SystemName = "troupe";

    /// <summary>Which implementation of the Akka.NET API this is: name and version of its assembly.</summary>
    public static string Provider
    {
        get
        {
            System.Reflection.AssemblyName name = typeof(ActorSystem).Assembly.GetName();
            return $"{name.Name} {name.Version?.ToString(3)}";
        }
    }

    /// <summary>The address of a clustered system as host:port.</summary>
    public static string AddressOf(ActorSystem system)
    {
        Address address = Cluster.Get(system).SelfAddress;
        return $"{address.Host}:{address.Port}";
    }

    /// <summary>
    /// Starts coordinator, router and gateway: a control node. In a real cluster the router is a singleton of role control; inside one
    /// process it is an actor like the others. <paramref name="memoryForKv"/>: bytes of which KV caches get at most half.
    /// </summary>
    public static IActorRef StartControl(
        ActorSystem system, TroupeOptions options, ClusterPlan plan, bool inProcess, string host, long memoryForKv,
            IClusterObserver observer, Action<string> warn, TimeProvider clock)
    {
        string strategy = options.Routing.Strategy;
        if (strategy != "auto")
        {
            Resolution resolved = Strategies.Resolve(strategy);
            if (resolved.Warning is { } warning) warn(warning);
            strategy = Strategies.NameOf(resolved.Use);
        }
        IClusterPort port = inProcess ? new LocalClusterPort() : new AkkaClusterPort(system);
        var inspector = new Inspector(port, clock, plan.Model.Name, options.Layout, Provider);
        string lifeline = inProcess ? "" : options.Control.LifelineHost.Length > 0 ? options.Control.LifelineHost : host;
        var setup = new CoordinatorSetup(
            plan.Terms(strategy, inProcess, memoryForKv), plan.Shape, lifeline, options.Control.LifelinePort,
            options.Control.JoinDeadline, options.Control.DrainDeadline, options.Control.AbortReport,
                options.Fabric.WaitDeadline, port, observer, inspector);
        IActorRef coordinator = system.ActorOf(Props.Create(() => new CoordinatorActor(setup)), "coordinator");
        RoutingOptions routing = options.Routing;
        Props router = Props.Create(() => new RouterActor(coordinator, routing)).WithDispatcher(ReferenceConfig.StepDispatcher);
        if (inProcess)
        {
            system.ActorOf(router, "router");
        }
        else
        {
            system.ActorOf(ClusterSingletonManager.Props(router, PoisonPill.Instance,
                ClusterSingletonManagerSettings.Create(system).WithRole(ClusterWatchActor.ControlRole).WithSingletonName("router")),
                    "router-manager");
        }
        IActorRef gateway = system.ActorOf(Props.Create(() => new GatewayActor(inspector)), "gateway");
        gateway.Tell(new CoordinatorFound(coordinator));
        return coordinator;
    }

    /// <summary>Starts one rank's node inside the process of its coordinator.</summary>
    public static void StartLocalRank(ActorSystem system, ClusterPlan plan, int rank, InProcessHub hub, IActorRef coordinator,
        TimeProvider clock)
    {
        var setup = new NodeSetup(plan.Fingerprint, rank, $"local/{rank}", Provider, plan.Rank(hub, clock), (_, _) => { })
        {
            Host = plan.Host,
        };
        system.ActorOf(Props.Create(() => new NodeActor(setup)), $"node-{rank}").Tell(new CoordinatorFound(coordinator));
    }

    /// <summary>
    /// Starts a rank node of a real cluster: it finds the control node among the members. <paramref name="stopped"/> is called when it is
    /// to stop.
    /// </summary>
    public static void StartRank(ActorSystem system, TroupeOptions options, ClusterPlan plan, Action<string, bool> stopped,
        TimeProvider clock)
    {
        var setup = new NodeSetup(plan.Fingerprint, options.Rank ?? -1, AddressOf(system), Provider, plan.Rank(null, clock), stopped)
        {
            Host = plan.Host,
        };
        IActorRef node = system.ActorOf(Props.Create(() => new NodeActor(setup)), "node");
        var inspector = new Inspector(new AkkaClusterPort(system), clock, plan.Model.Name, options.Layout, Provider);
        IActorRef gateway = system.ActorOf(Props.Create(() => new GatewayActor(inspector)), "gateway");
        system.ActorOf(Props.Create(() => new ClusterWatchActor(new[] { node, gateway })), "watch");
    }
}
