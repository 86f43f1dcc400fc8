using Akka.Actor;
using Akka.Cluster;
using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;

namespace Troupe.Actors.Hosting;

/// <summary>One node of a real cluster, as <c>troupe node</c> runs it: a control node or a rank, whichever its role says.</summary>
public static class NodeProgram
{
    private static readonly TimeSpan TerminateGrace = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until the cluster ends, the node is told to stop, or <paramref name="cancel"/> asks it to.</summary>
    /// <returns>The exit code: 0 after a drain or leave, 1 after a failure.</returns>
    /// <exception cref="ConfigException">The configuration does not hold.</exception>
    public static async Task<int> RunAsync(ConfigLayers layers, Func<TroupeOptions, ModelSource> findModel, Action<string> log,
        CancellationToken cancel)
    {
        TroupeOptions options = TroupeOptions.Read(layers);
        NodeConfig node = NodeConfig.Read(layers);
        if (node.Roles.Count != 1)
            throw new ConfigException($"akka.cluster.roles must name one role, {NodeConfig.ControlRole} or {NodeConfig.RankRole}");
        ClusterPlan plan = ClusterPlan.Make(options, findModel(options));
        var ended = new TaskCompletionSource<(string? Reason, bool Failed)>(TaskCreationOptions.RunContinuationsAsynchronously);
        ActorSystem system = ActorSystem.Create(Nodes.SystemName, node.Config);
        Cluster cluster = Cluster.Get(system);
        bool control = node.Roles[0] == NodeConfig.ControlRole;
        Action drain = () => ended.TrySetResult(("asked to stop", false));
        if (control)
        {
            if (node.SeedNodes.Count == 0) cluster.Join(cluster.SelfAddress);
            // The ranks' hosts are taken to be like this one.
            IActorRef coordinator = Nodes.StartControl(system, options, plan, false, node.Host, HostMemory.AvailableBytes(),
                new Observer(log, ended), log, TimeProvider.System);
            drain = () => coordinator.Tell(new BeginDrain(), ActorRefs.NoSender);
        }
        else
        {
            Nodes.StartRank(system, options, plan, (reason, failed) => ended.TrySetResult((reason, failed)), TimeProvider.System);
        }
        log($"{node.Roles[0]} node at {Nodes.AddressOf(system)}, {Nodes.Provider}");
        await using CancellationTokenRegistration registration = cancel.Register(drain);
        Task first = await Task.WhenAny(ended.Task, system.WhenTerminated);
        (string? reason, bool failed) = first == ended.Task ? await ended.Task : ("left the cluster", false);
        // The cluster is over: nobody needs a graceful leave, which would wait for members that are gone. This is for last words to
        // clients.
        await system.Terminate().WithinAsync(TerminateGrace);
        // Last, so that it stands below whatever Akka.NET says about connections that end.
        if (reason is not null) log(reason);
        return failed ? 1 : 0;
    }

    private sealed class Observer(Action<string> log, TaskCompletionSource<(string?, bool)> ended) : IClusterObserver
    {
        private string? _said;

        public void Changed(CoordinatorState state)
        {
            string now = state.WaitingFor is { } waiting ? $"waiting for {waiting}" : $"ready: {state.Terms.Layout} over {state.Fabric}";
            if (now == _said) return;
            _said = now;
            log(now);
        }

        public void Warned(string line) => log($"warning: {line}");

        public void Ended(string? error) => ended.TrySetResult((error ?? "drained", error is not null));
    }
}
