using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests;

/// <summary>A node of a cluster on 127.0.0.1, with short times and, unless the test says otherwise, nobody who downs by itself.</summary>
internal sealed class ClusterNode : IDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public ClusterNode(string config = "", int port = 0)
    {
        System = ActorSystem.Create("test", ConfigurationFactory.ParseString(config).WithFallback(ConfigurationFactory.ParseString($$"""
            akka {
              loglevel = {{Environment.GetEnvironmentVariable("AKKA_TEST_LOG") ?? "OFF"}}
              stdout-loglevel = OFF
              log-dead-letters = off
              actor.provider = cluster
              remote {
                dot-netty.tcp { hostname = "127.0.0.1", port = {{port}} }
                retry-gate-closed-for = 500ms
              }
              cluster {
                downing-provider-class = ""
                seed-node-timeout = 2s
                gossip-interval = 200ms
                leader-actions-interval = 200ms
                unreachable-nodes-reaper-interval = 200ms
                periodic-tasks-initial-delay = 100ms
                allow-weakly-up-members = off
                failure-detector { heartbeat-interval = 300ms, acceptable-heartbeat-pause = 1500ms }
              }
            }
            """)));
        Cluster = Akka.Cluster.Cluster.Get(System);
    }

    public ActorSystem System { get; }

    public Cluster Cluster { get; }

    public Address Address => Cluster.SelfAddress;

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A cluster of that many nodes, all Up; the first formed it.</summary>
    public static async Task<ClusterNode[]> Together(int count, string config = "")
    {
        var nodes = Enumerable.Range(0, count).Select(_ => new ClusterNode(config)).ToArray();
        foreach (var node in nodes) await node.Cluster.JoinAsync(nodes[0].Address).WaitAsync(Deadline);
        await AllSee(nodes, count);
        return nodes;
    }

    /// <summary>Waits until each of these sees so many members, all Up and reachable.</summary>
    public static Task AllSee(IEnumerable<ClusterNode> nodes, int members) => Task.WhenAll(nodes.Select(node => node.Until(state =>
        state.Members.Count == members && state.Unreachable.IsEmpty && state.Members.All(member => member.Status == MemberStatus.Up))));

    /// <summary>Waits until the state of the cluster, as this node sees it, is as wanted; looks again after each event.</summary>
    public async Task Until(Predicate<ClusterEvent.CurrentClusterState> wanted)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var watcher = System.ActorOf(Lambda.Of((context, message) =>
        {
            if (message is ClusterEvent.CurrentClusterState state && wanted(state)) reached.TrySetResult();
            else if (message is ClusterEvent.IClusterDomainEvent) Cluster.SendCurrentClusterState(context.Self);
        }));
        Cluster.Subscribe(watcher, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        try
        {
            await reached.Task.WaitAsync(Deadline);
        }
        catch (TimeoutException)
        {
            var seen = Cluster.State;
            Assert.Fail($"{Address} sees {string.Join(", ", seen.Members)}, unreachable {string.Join(", ", seen.Unreachable)}");
        }
        System.Stop(watcher);
    }

    /// <summary>What this node publishes from now on, of these types.</summary>
    public Inbox Events(params Type[] types)
    {
        var inbox = new Inbox();
        var probe = Probe.In(System, inbox);
        Cluster.Subscribe(probe, types);
        Assert.IsType<ClusterEvent.CurrentClusterState>(inbox.Next());
        return inbox;
    }

    /// <summary>Ends the node without a word to the others, as a crash would.</summary>
    public const string EndsAbruptly = "akka.coordinated-shutdown { run-by-actor-system-terminate = off, run-by-clr-shutdown-hook = off }";

    public void Dispose() => System.Terminate().Wait(Deadline);

    public static void DisposeAll(IEnumerable<ClusterNode> nodes) =>
        Task.WhenAll(nodes.Select(node => node.System.Terminate())).Wait(Deadline);
}
