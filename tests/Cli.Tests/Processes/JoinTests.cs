using Akka.Actor;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>Nodes that a running cluster does not want: each is told which value differs, and the cluster goes on.</summary>
[Collection("processes")]
public sealed class JoinTests
{
    private static readonly string s_otherModel = Repository.At("tests", "goldens", "models", "qwen3-moe");

    [Fact]
    public async Task A_node_with_another_model_layout_name_or_protocol_is_refused_with_both_values()
    {
        await using ProcessWorld world = await ProcessWorld.StartAsync(2, 1);
        TroupeOptions same = TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", ""))) with
        {
            Layout = new Layout(2, 1, 1), Model = ProcessWorld.SampleModel,
        };

        Assert.Contains("number of ranks differs: it wants 2, which have all joined, this node has one more",
            await RefusedAsync(world, same));
        Assert.Contains("model (hash of config.json) differs: it wants ", await RefusedAsync(world, same with { Model = s_otherModel }));
        Assert.Contains(
            "layout differs: it wants 2 stages x 1 replicas x 1 tensor ranks with layers 4+2, this node has 1 stages x 2 replicas",
            await RefusedAsync(world, same with { Layout = new Layout(1, 2, 1) }));
        Assert.Contains("tensor ranks with layers 4+2, this node has 2 stages x 1 replicas x 1 tensor ranks with layers 3+3",
            await RefusedAsync(world, same with { Split = new LayerSplit(3, 3) }));
        Assert.Contains("cluster name differs: it wants troupe, this node has other",
            await RefusedAsync(world, same with { ClusterName = "other" }));
        JoinRefused newer = await AskAsync(world, same, Fingerprint.CurrentProtocol + 1);
        Assert.Equal(("protocol version", $"{Fingerprint.CurrentProtocol}", $"{Fingerprint.CurrentProtocol + 1}"),
            (newer.What, newer.Wanted, newer.Got));

        RequestOutcome after = (await world.RunAsync([ProcessWorld.Greedy("after", [570, 47], 4)]))[0];
        Assert.Equal("length", after.FinishReason);
    }

    /// <summary>Starts one more rank node.</summary>
    /// <returns>The last thing it says.</returns>
    private static async Task<string> RefusedAsync(ProcessWorld world, TroupeOptions options)
    {
        var ended = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        string hocon = options.ToHocon()
            + NodeConfig.ToHocon("127.0.0.1", 0, [ClusterWatchActor.RankRole], [$"akka.tcp://{Nodes.SystemName}@{world.Handle.Address}"]);
        using var node = new RankProcess(typeof(CommandLine).Assembly.Location, hocon, "stranger", _ => { },
            (_, how) => ended.TrySetResult(how));
        string how = await ended.Task.WaitAsync(ProcessWorld.Deadline);
        Assert.StartsWith("ended with exit code 1: the cluster refused this node: ", how);
        return how;
    }

    /// <summary>Asks to join as a build with another protocol would, over the real wire.</summary>
    private static async Task<JoinRefused> AskAsync(ProcessWorld world, TroupeOptions options, int protocol)
    {
        HoconText akka = HoconText.Parse("test",
            "akka { actor.provider = remote\n remote.dot-netty.tcp { hostname = \"127.0.0.1\"\n port = 0 } }\n");
        using ActorSystem system = ActorSystem.Create(Nodes.SystemName, new ConfigLayers(akka).Config);
        Fingerprint print = ClusterPlan.Make(options, ModelSource.FromFolder(options.Model)).Fingerprint with { Protocol = protocol };
        var answer = new TaskCompletionSource<JoinRefused>(TaskCreationOptions.RunContinuationsAsynchronously);
        IActorRef node = system.ActorOf(Props.Create(() => new Listener(answer)), "node");
        system.ActorSelection($"akka.tcp://{Nodes.SystemName}@{world.Handle.Address}/user/coordinator")
            .Tell(new JoinRequest(print, -1, Environment.ProcessId, "127.0.0.1:1", "", node, ""), node);
        return await answer.Task.WaitAsync(ProcessWorld.Deadline);
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(TaskCompletionSource<JoinRefused> answer) => Receive<JoinRefused>(refused => answer.TrySetResult(refused));
    }
}
