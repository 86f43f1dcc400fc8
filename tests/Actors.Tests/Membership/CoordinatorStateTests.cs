using Akka.Actor;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Membership;

public sealed class CoordinatorStateTests : IDisposable
{
    private const long Plenty = 1L << 40;
    private readonly ActorSystem _system = ActorSystem.Create("nodes");

    public void Dispose() => _system.Dispose();

    private static readonly Fingerprint Ours =
        new(Fingerprint.CurrentProtocol, "troupe", "2 stages x 1 replicas x 1 tensor ranks", "c", "t", "n");

    public static TheoryData<string, int, string, string, string, string, string> Differences => new()
    {
        { "protocol version", 9, "troupe", Ours.Layout, "c", "t", "n" },
        { "cluster name", 1, "other", Ours.Layout, "c", "t", "n" },
        { "layout", 1, "troupe", "1 stages x 1 replicas x 1 tensor ranks", "c", "t", "n" },
        { "model (hash of config.json)", 1, "troupe", Ours.Layout, "x", "t", "n" },
        { "model (hash of tensor names, types and shapes)", 1, "troupe", Ours.Layout, "c", "x", "n" },
        { "numbers (math, rows, kv, weights)", 1, "troupe", Ours.Layout, "c", "t", "x" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void A_node_that_differs_is_refused_with_both_values(
        string what, int protocol, string cluster, string layout, string config, string tensors, string numbers)
    {
        var theirs = new Fingerprint(protocol, cluster, layout, config, tensors, numbers);
        JoinRefused refused = Assert.IsType<JoinRefused>(Answer(New().On(Join(theirs, "a:1"), Accept("t1")).Item2));
        Assert.Equal(what, refused.What);
        Assert.NotEqual(refused.Wanted, refused.Got);
    }

    [Fact]
    public void Ranks_follow_the_order_of_addresses_ports_as_numbers_and_configured_ranks_stay()
    {
        CoordinatorState state = New(new Layout(3, 1, 1));
        Fingerprint print = state.Terms.Fingerprint;
        state = Attach(state, Join(print, "h:1000"), "a");
        state = Attach(state, Join(print, "h:999"), "b");
        state = Attach(state, Join(print, "h:5") with { ConfiguredRank = 2 }, "c");
        Assert.Equal(["b", "a", "c"], state.ByRank.Select(n => n.Token));
        Assert.Equal(ClusterPhase.Loading, state.Phase);
    }

    [Fact]
    public void One_node_too_many_a_rank_twice_and_a_rank_out_of_range_are_refused()
    {
        CoordinatorState state = New();
        JoinRequest first = Join(Ours, "a:1") with { ConfiguredRank = 1 };
        state = state.On(first, Accept("t1")).Item1;
        Assert.Contains("no other node has",
            ((JoinRefused)Answer(state.On(Join(Ours, "a:2") with { ConfiguredRank = 1 }, Accept("t2")).Item2)).Wanted);
        Assert.Contains("[0, 2)",
            ((JoinRefused)Answer(state.On(Join(Ours, "a:2") with { ConfiguredRank = 2 }, Accept("t2")).Item2)).Wanted);
        state = state.On(Join(Ours, "a:3"), Accept("t3")).Item1;
        Assert.IsType<JoinRefused>(Answer(state.On(Join(Ours, "a:4"), Accept("t4")).Item2));
    }

    [Fact]
    public void A_node_lost_while_gathering_may_come_again_and_one_lost_later_ends_the_epoch_by_name()
    {
        CoordinatorState state = New().On(Join(Ours, "a:1"), Accept("t1")).Item1;
        state = state.OnLost("t1").Item1;
        Assert.Empty(state.Nodes);
        state = Attach(Attach(state, Join(Ours, "a:1"), "t1"), Join(Ours, "a:2"), "t2");
        (state, var effects) = state.OnLost("t2");
        Assert.Contains(effects, e => e is Effect.Down { Address: "a:2" });
        Assert.Contains("rank 1 died", state.Failure);
    }

    [Fact]
    public void A_node_that_asks_again_hears_the_same_answer_however_far_it_has_come()
    {
        JoinRequest first = Join(Ours, "a:1");
        CoordinatorState state = New().On(first, Accept("t1")).Item1;
        (state, var effects) = state.On(first, Accept("t2"));
        Assert.Equal("t1", ((JoinAccepted)Answer(effects)).Token);
        Assert.Equal("t1", Assert.Single(state.Nodes).Key);
        state = Attach(state.On(new NodeAttached("t1", true, Plenty)).Item1, Join(Ours, "a:2"), "t3");
        Assert.Equal(ClusterPhase.Loading, state.Phase);
        (state, effects) = state.On(first, Accept("t4"));
        Assert.Equal("t1", ((JoinAccepted)Answer(effects)).Token);
        Assert.Equal(2, state.Nodes.Count);
    }

    [Fact]
    public void A_node_that_falls_silent_ends_the_epoch_with_its_rank_and_the_deadline()
    {
        CoordinatorState state = Attach(Attach(New(), Join(Ours, "a:1"), "t1"), Join(Ours, "a:2"), "t2");
        (state, _) = state.OnLost("t2", TimeSpan.FromSeconds(6));
        Assert.StartsWith("rank 1 did not answer within 6 s: process 1 at a:2", state.Failure);
    }

    [Theory]
    [InlineData("", "", "", "")]
    [InlineData("east", "west", "east", "west")]
    [InlineData("x,y", "x,y", "x", "y")]
    [InlineData("", "west", "", "west")]
    public void Every_rank_learns_the_hosts_of_all(string first, string second, string firstHost, string secondHost)
    {
        CoordinatorState state = Attach(New(), Join(Ours, "a:1") with { Host = first }, "t1");
        JoinRequest last = Join(Ours, "a:2") with { Host = second };
        var effects = state.On(last, Accept("t2")).Item1.On(new NodeAttached("t2", true, Plenty)).Item2;
        Assert.All(effects.OfType<Effect.Tell>(), tell => Assert.Equal([firstHost, secondHost], ((Assign)tell.Message).Hosts));
    }

    [Fact]
    public void What_the_cluster_waits_for_is_said_at_every_stage()
    {
        CoordinatorState state = New();
        Assert.Equal("2 of 2 ranks to join", state.WaitingFor);
        state = Attach(Attach(state, Join(Ours, "a:1"), "t1"), Join(Ours, "a:2"), "t2");
        Assert.Equal("rank 0, 1 to load", state.WaitingFor);
    }

    [Fact]
    public void Once_all_are_ready_the_router_is_told_what_they_measured_before_any_scheduler_may_offer()
    {
        var near = new LinkConstants(1, 2, 3, 4, 5);
        CoordinatorState state = Checking(new Layout(1, 2, 1), "x,y");
        (state, var early) = state.On(new RankReady(state.Epoch, 1, 3, 8, new LinkCalibration(near, near, null)));
        Assert.Empty(early);
        Assert.Equal("rank 0 to pass the self-check", state.WaitingFor);

        (state, var effects) = state.On(new RankReady(state.Epoch, 0, 3, 4, null));

        Assert.Equal(ClusterPhase.Ready, state.Phase);
        Effect.BecameReady ready = Assert.IsType<Effect.BecameReady>(effects[0]);
        Assert.Equal(new LinkCalibration(near, near, null), Assert.Single(ready.Measured));
        Assert.Equal(4, ready.Cores);
        Assert.Equal(2, effects.OfType<Effect.Tell>().Count(e => e.Message is EpochStarted));
        Assert.Empty(state.On(new RankReady(state.Epoch, 0, 3, 4, null)).Item2);
    }

    [Theory]
    [InlineData("x,y", "shm", 2, Mapping.Everybody, false)]
    [InlineData("x,y", "mixed", 2, Mapping.SameHost, false)]
    [InlineData("x,y", "tcp", 2, Mapping.Nobody, false)]
    [InlineData("x,x", "mixed", 1, Mapping.SameHost, false)]
    [InlineData("x,x,y,y", "mixed", 1, Mapping.SameHost, false)]
    [InlineData("x,x,x,y", "mixed", 2, Mapping.SameHost, true)]
    public void The_router_learns_hosts_and_mapping_of_the_stage_on_most_hosts(
        string hosts, string fabric, int count, Mapping mapping, bool someOnOne)
    {
        StepShape shape = Checking(new Layout(2, 2, 1), hosts, fabric).Place(new StepShape(2, 0, 0, 64, 2, 4, 1));
        Assert.Equal((count, mapping, someOnOne), (shape.Hosts, shape.Mapping, shape.SomeStageOnOneHost));
        Assert.Equal(2, shape.HostOf.Length);
    }

    private CoordinatorState Checking(Layout layout, string hosts, string fabric = "auto")
    {
        CoordinatorState state = New(layout);
        state = state with { Terms = state.Terms with { Fabric = fabric } };
        for (int i = 0; i < layout.Ranks; i++)
            state = Attach(state, Join(state.Terms.Fingerprint, $"a:{i}") with { Host = hosts }, $"t{i}");
        for (int i = 0; i < layout.Ranks; i++)
        {
            IActorRef actor = state.ByRank[i].Join.Node;
            state = state.On(new Prepared(state.Epoch, i, "d", "", "", 0, actor, actor, i < layout.Replicas ? actor : null)).Item1;
        }
        Assert.Equal(ClusterPhase.Checking, state.Phase);
        return state;
    }

    private static CoordinatorState Attach(CoordinatorState state, JoinRequest join, string token) =>
        state.On(join, Accept(token)).Item1.On(new NodeAttached(token, true, Plenty)).Item1;

    private static object Answer(IEnumerable<Effect> effects) => effects.OfType<Effect.Tell>().Single().Message;

    private static CoordinatorState New(Layout? layout = null)
    {
        layout ??= new Layout(2, 1, 1);
        return CoordinatorState.Start(new ClusterTerms(Ours with { Layout = layout.ToString() }, layout, "auto", "auto",
            new EpochSizes(1, 8, 8, 8, 16, 64)) { WindowBytes = _ => 1000 });
    }

    private static JoinAccepted Accept(string token) => new("h", 1, token, "");

    private JoinRequest Join(Fingerprint fingerprint, string address) =>
        new(fingerprint, -1, 1, address, "", _system.ActorOf(Props.Create(() => new Silent())), "");

    private sealed class Silent : ReceiveActor;
}
