using Akka.Actor;
using Akka.Cluster;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class ClusterEndTests : IDisposable
{
    private readonly List<ClusterNode> _nodes = [];

    public void Dispose() => ClusterNode.DisposeAll(_nodes);

    [Fact]
    public async Task Leaving_is_seen_as_left_exited_removed_and_ends_the_system()
    {
        var nodes = await Together(2);
        var events = nodes[0].Events(typeof(ClusterEvent.IMemberEvent));
        var removed = new TaskCompletionSource();
        nodes[1].Cluster.RegisterOnMemberRemoved(removed.SetResult);
        await nodes[1].Cluster.LeaveAsync().WaitAsync(ClusterNode.Deadline);
        Assert.Equal(nodes[1].Address, events.Next<ClusterEvent.MemberLeft>().Member.Address);
        Assert.Equal(nodes[1].Address, events.Next<ClusterEvent.MemberExited>().Member.Address);
        Assert.Equal(MemberStatus.Exiting, events.Next<ClusterEvent.MemberRemoved>().PreviousStatus);
        await nodes[1].System.WhenTerminated.WaitAsync(ClusterNode.Deadline);
        await removed.Task.WaitAsync(ClusterNode.Deadline);
        Assert.IsType<CoordinatedShutdown.ClusterLeavingReason>(CoordinatedShutdown.Get(nodes[1].System).ShutdownReason);
        Assert.True(nodes[1].Cluster.IsTerminated);
    }

    [Fact]
    public async Task Terminating_a_system_leaves_the_cluster_first()
    {
        var nodes = await Together(2);
        var events = nodes[0].Events(typeof(ClusterEvent.MemberRemoved));
        await nodes[1].System.Terminate().WaitAsync(ClusterNode.Deadline);
        Assert.Equal(MemberStatus.Exiting, events.Next<ClusterEvent.MemberRemoved>().PreviousStatus);
    }

    [Fact]
    public async Task The_only_node_can_leave()
    {
        var nodes = await Together(1);
        nodes[0].Cluster.Leave(nodes[0].Address);
        await nodes[0].System.WhenTerminated.WaitAsync(ClusterNode.Deadline);
    }

    [Fact]
    public async Task A_downed_node_is_removed_at_once_and_its_system_ends()
    {
        var nodes = await Together(3);
        var events = nodes[0].Events(typeof(ClusterEvent.IMemberEvent));
        nodes[0].Cluster.Down(nodes[2].Address);
        Assert.Equal(nodes[2].Address, events.Next<ClusterEvent.MemberDowned>().Member.Address);
        Assert.Equal(MemberStatus.Down, events.Next<ClusterEvent.MemberRemoved>().PreviousStatus);
        await nodes[2].System.WhenTerminated.WaitAsync(ClusterNode.Deadline);
        Assert.IsType<CoordinatedShutdown.ClusterDowningReason>(CoordinatedShutdown.Get(nodes[2].System).ShutdownReason);
        await ClusterNode.AllSee(nodes.Take(2), 2);
    }

    [Fact]
    public async Task A_crashed_node_is_unreachable_and_removed_once_it_is_downed()
    {
        var nodes = await Together(3, ClusterNode.EndsAbruptly);
        var events = nodes[0].Events(typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        await nodes[2].System.Terminate().WaitAsync(ClusterNode.Deadline);
        Assert.Equal(nodes[2].Address, events.Next<ClusterEvent.UnreachableMember>().Member.Address);
        await nodes[1].Until(state => state.Unreachable.Count == 1);
        nodes[1].Cluster.Down(nodes[2].Address);
        Assert.IsType<ClusterEvent.MemberDowned>(events.Next());
        Assert.IsType<ClusterEvent.MemberRemoved>(events.Next());
        await ClusterNode.AllSee(nodes.Take(2), 2);
    }

    [Fact]
    public async Task An_actor_on_a_member_that_crashed_is_terminated_when_the_member_is_removed()
    {
        var nodes = await Together(2, ClusterNode.EndsAbruptly);
        var inbox = new Inbox();
        var target = nodes[1].System.ActorOf(Lambda.Of((_, _) => { }), "target");
        var remote = await nodes[0].System.ActorSelection($"{nodes[1].Address}/user/target").ResolveOne(ClusterNode.Deadline);
        var probe = Probe.In(nodes[0].System, inbox);
        probe.Tell((Action<IActorContext>)(context => context.Watch(remote)));
        probe.Tell("watched");
        Assert.Equal("watched", inbox.Next());
        // The crash may come while the watch is still under way: then too it has to be noticed.
        await nodes[1].System.Terminate().WaitAsync(ClusterNode.Deadline);
        nodes[0].Cluster.Down(nodes[1].Address);
        var terminated = inbox.Next<Terminated>();
        Assert.Equal(target.Path.Uid, terminated.ActorRef.Path.Uid);
        Assert.Equal(remote, terminated.ActorRef);
    }

    [Fact]
    public async Task A_restarted_node_replaces_what_it_was_before()
    {
        var nodes = await Together(3, ClusterNode.EndsAbruptly);
        int port = nodes[2].Address.Port.Value;
        await nodes[2].System.Terminate().WaitAsync(ClusterNode.Deadline);
        var again = new ClusterNode("", port);
        _nodes.Add(again);
        await again.Cluster.JoinAsync(nodes[0].Address).WaitAsync(ClusterNode.Deadline);
        ClusterNode[] living = [nodes[0], nodes[1], again];
        await ClusterNode.AllSee(living, 3);
        Assert.All(living, node => Assert.Contains(node.Cluster.State.Members, m => m.UniqueAddress == again.Cluster.SelfUniqueAddress));
    }

    [Fact]
    public async Task Joining_after_the_end_fails_at_once()
    {
        var nodes = await Together(1);
        await nodes[0].System.Terminate().WaitAsync(ClusterNode.Deadline);
        await Assert.ThrowsAsync<ClusterJoinFailedException>(() => nodes[0].Cluster.JoinAsync(nodes[0].Address));
    }

    private async Task<ClusterNode[]> Together(int count, string config = "")
    {
        var nodes = await ClusterNode.Together(count, config);
        _nodes.AddRange(nodes);
        return nodes;
    }
}
