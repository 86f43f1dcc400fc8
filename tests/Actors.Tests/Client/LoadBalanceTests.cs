using Akka.Actor;
using Akka.Configuration;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Tests.Cluster;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Client;

public sealed class LoadBalanceTests
{
    // A test must not go on inside an actor's turn: it ends the system.
    private const TaskCreationOptions Async = TaskCreationOptions.RunContinuationsAsynchronously;

    [Fact]
    public void The_replica_with_least_to_do_is_chosen()
    {
        Assert.Equal([1, 1, 1], Chosen(Loads((900, 1000), (100, 1000), (300, 1000)), Request(50, 50), 2).Append(
            Loads((900, 1000), (100, 1000), (300, 1000)).Choose(Request(1, 1)).Replica));
    }

    [Fact]
    public void What_was_given_out_counts_at_once()
    {
        Assert.Equal([1, 1, 2, 1, 2], Chosen(Loads((900, 1000), (100, 1000), (290, 1000)), Request(50, 50), 5));
    }

    [Fact]
    public void A_replica_without_the_cache_for_it_is_passed_over_unless_none_has_it()
    {
        Assert.Equal(0, Loads((900, 200), (0, 99)).Choose(Request(50, 50)).Replica);
        Assert.Equal(1, Loads((900, 80), (0, 99)).Choose(Request(50, 50)).Replica);
    }

    [Fact]
    public void Equals_take_turns_also_after_they_were_asked_again()
    {
        LoadBalance balance = Loads((0, 1000), (0, 1000), (0, 1000));
        Assert.Equal([0, 1, 2, 0], Chosen(balance, Request(1, 1), 4));
        balance = balance.Choose(Request(1, 1)).After.Forget();
        Assert.False(balance.IsComplete);
        for (int replica = 0; replica < 3; replica++) balance = balance.On(new ReplicaLoad(new Epoch(1), replica, 0, 1000));
        Assert.True(balance.IsComplete);
        Assert.Equal(1, balance.Choose(Request(1, 1)).Replica);
    }

    [Fact]
    public void Who_does_not_answer_is_taken_last_and_nobody_answering_is_no_obstacle()
    {
        LoadBalance silent = LoadBalance.Of(3).On(new ReplicaLoad(new Epoch(1), 2, 5000, 0));
        Assert.Equal([2, 2], Chosen(silent, Request(50, 50), 2));
        Assert.Equal([0, 1, 2, 0], Chosen(LoadBalance.Of(3), Request(50, 50), 4));
    }

    [Fact]
    public void No_such_replica_is_ignored() =>
        Assert.Equal(0, Loads((0, 1000)).On(new ReplicaLoad(new Epoch(1), 7, 0, 0)).Choose(Request(1, 1)).Replica);

    [Fact]
    public async Task Requests_keep_off_a_replica_that_is_busy_with_a_long_one()
    {
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages: 1, replicas: 2);
        var begun = new TaskCompletionSource();
        Task<IReadOnlyList<RequestOutcome>> running = world.Client.RunAsync([InProcessWorld.Greedy("long", [1, 2, 3], 400)],
            (outcome, _) =>
            {
                if (outcome.Ids.Count > 0) begun.TrySetResult();
            }, CancellationToken.None);
        await begun.Task.WaitAsync(TimeSpan.FromMinutes(1));
        var replicas = new List<int>();
        for (int i = 0; i < 4 && !running.IsCompleted; i++)
            replicas.Add((await world.RunAsync(InProcessWorld.Greedy($"short{i}", [4, 5], 2))).Single().Replica);
        int busy = (await running).Single().Replica;
        Assert.NotEmpty(replicas);
        Assert.DoesNotContain(busy, replicas);
    }

    [Fact]
    public async Task A_request_that_is_cancelled_before_the_replicas_answered_is_never_submitted()
    {
        using ActorSystem system = ActorSystem.Create("client",
            ConfigurationFactory.ParseString("akka { loglevel = OFF, stdout-loglevel = OFF }"));
        var (asked, submitted) = (new TaskCompletionSource<IActorRef>(Async), new TaskCompletionSource<SubmitBatch>(Async));
        IActorRef silent = system.ActorOf(Props.Create(() => new Replica(asked, submitted)));
        IActorRef client = system.ActorOf(Props.Create(() => new ClientActor(silent, "me")));
        client.Tell(new Connected(new Epoch(1), true, "", "", 0, "", [silent, silent]));
        TaskCompletionSource<IReadOnlyList<RequestOutcome>> Run(string id)
        {
            var done = new TaskCompletionSource<IReadOnlyList<RequestOutcome>>(Async);
            client.Tell(new RunBatch([Request(1, 1) with { Id = id }], null, done));
            return done;
        }

        TaskCompletionSource<IReadOnlyList<RequestOutcome>> cancelled = Run("a");
        Run("b");
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        client.Tell(new CancelRequest("a"));
        Assert.Equal("cancelled", (await cancelled.Task.WaitAsync(TimeSpan.FromMinutes(1))).Single().FinishReason);
        for (int replica = 0; replica < 2; replica++) client.Tell(new ReplicaLoad(new Epoch(1), replica, 0, 100));
        Assert.Equal("b", (await submitted.Task.WaitAsync(TimeSpan.FromMinutes(1))).Requests.Single().Id);
    }

    /// <summary>Says when it is asked how much it has to do, and what it is given first; answers nothing.</summary>
    private sealed class Replica : ReceiveActor
    {
        public Replica(TaskCompletionSource<IActorRef> asked, TaskCompletionSource<SubmitBatch> submitted)
        {
            Receive<AskLoad>(_ => asked.TrySetResult(Sender));
            Receive<SubmitBatch>(batch => submitted.TrySetResult(batch));
            ReceiveAny(_ => { });
        }
    }

    private static LoadBalance Loads(params (long Rows, long Kv)[] loads) => loads.Select((load, replica) => (load, replica)).Aggregate(
        LoadBalance.Of(loads.Length), (balance, l) => balance.On(new ReplicaLoad(new Epoch(1), l.replica, l.load.Rows, l.load.Kv)));

    private static RequestSpec Request(int prompt, int tokens) => InProcessWorld.Greedy("a", new int[prompt], tokens);

    private static List<int> Chosen(LoadBalance balance, RequestSpec request, int count)
    {
        var chosen = new List<int>();
        for (int i = 0; i < count; i++)
        {
            (balance, int replica) = balance.Choose(request);
            chosen.Add(replica);
        }
        return chosen;
    }
}
