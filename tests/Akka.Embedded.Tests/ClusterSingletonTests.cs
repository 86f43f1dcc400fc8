using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class ClusterSingletonTests : IDisposable
{
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(100);
    private readonly List<ClusterNode> _nodes = [];

    public void Dispose() => ClusterNode.DisposeAll(_nodes);

    [Fact]
    public async Task It_runs_on_the_oldest_node_and_is_reached_from_all()
    {
        var (nodes, life) = (await Together(3), new Inbox());
        foreach (var node in nodes) Manage(node, life);
        Assert.Equal($"started on {nodes[0].Address}", life.Next());
        foreach (var node in nodes) Assert.Equal(nodes[0].Address.ToString(), await AskWhere(nodes[0], node));
        Assert.True(life.IsEmpty);
    }

    [Fact]
    public async Task When_its_node_leaves_it_stops_there_before_it_starts_on_the_next_oldest()
    {
        var (nodes, life) = (await Together(3), new Inbox());
        foreach (var node in nodes) Manage(node, life);
        Assert.Equal($"started on {nodes[0].Address}", life.Next());
        nodes[0].Cluster.Leave(nodes[0].Address);
        Assert.Equal([$"stopped on {nodes[0].Address}", $"started on {nodes[1].Address}"], life.Next(2));
        Assert.Equal(nodes[1].Address.ToString(), await AskWhere(nodes[1], nodes[2]));
        await nodes[0].System.WhenTerminated.WaitAsync(ClusterNode.Deadline);
    }

    [Fact]
    public async Task When_its_node_crashed_it_starts_on_the_next_oldest_after_the_removal()
    {
        var (nodes, life) = (await Together(3, ClusterNode.EndsAbruptly), new Inbox());
        foreach (var node in nodes) Manage(node, life);
        Assert.Equal($"started on {nodes[0].Address}", life.Next());
        await nodes[0].System.Terminate().WaitAsync(ClusterNode.Deadline);
        Assert.Equal($"stopped on {nodes[0].Address}", life.Next());
        Assert.True(life.IsEmpty);
        nodes[2].Cluster.Down(nodes[0].Address);
        Assert.Equal($"started on {nodes[1].Address}", life.Next());
        Assert.Equal(nodes[1].Address.ToString(), await AskWhere(nodes[1], nodes[2]));
    }

    [Fact]
    public async Task It_runs_on_the_oldest_node_of_its_role()
    {
        var plain = (await Together(1))[0];
        var control = new ClusterNode("akka.cluster.roles = [\"control\"]");
        _nodes.Add(control);
        await control.Cluster.JoinAsync(plain.Address).WaitAsync(ClusterNode.Deadline);
        var life = new Inbox();
        Manage(control, life, "control");
        Assert.Equal($"started on {control.Address}", life.Next());
        var ended = new Inbox();
        Probe.In(plain.System, ended).Tell((Action<IActorContext>)(context => context.Watch(Manage(plain, life, "control"))));
        Assert.IsType<Terminated>(ended.Next());
    }

    [Fact]
    public async Task After_a_failure_it_is_restarted_in_its_place()
    {
        var (nodes, life) = (await Together(1), new Inbox());
        Manage(nodes[0], life);
        Assert.Equal($"started on {nodes[0].Address}", life.Next());
        SingletonOn(nodes[0], nodes[0]).Tell("fail");
        Assert.Equal([$"stopped on {nodes[0].Address}", $"started on {nodes[0].Address}"], life.Next(2));
    }

    private static IActorRef Manage(ClusterNode node, Inbox life, string role = "") => node.System.ActorOf(ClusterSingletonManager.Props(
        Props.Create<Singleton>(life), PoisonPill.Instance,
        ClusterSingletonManagerSettings.Create(node.System).WithSingletonName("one").WithRole(role).WithRemovalMargin(Margin)), "manager");

    private static Task<string> AskWhere(ClusterNode place, ClusterNode from) =>
        SingletonOn(place, from).Ask<string>("where?", ClusterNode.Deadline);

    private static ActorSelection SingletonOn(ClusterNode place, ClusterNode from) =>
        from.System.ActorSelection($"{place.Address}/user/manager/one");

    private async Task<ClusterNode[]> Together(int count, string config = "")
    {
        var nodes = await ClusterNode.Together(count, config);
        _nodes.AddRange(nodes);
        return nodes;
    }

    private sealed class Singleton : ReceiveActor
    {
        private readonly Inbox _life;
        private readonly Address _here = Akka.Cluster.Cluster.Get(Context.System).SelfAddress;

        public Singleton(Inbox life)
        {
            _life = life;
            Receive<string>(text => text == "fail", _ => throw new InvalidOperationException("as asked"));
            Receive<string>(_ => Sender.Tell(_here.ToString()));
        }

        protected override void PreStart() => _life.Add($"started on {_here}");

        protected override void PostStop() => _life.Add($"stopped on {_here}");
    }
}
