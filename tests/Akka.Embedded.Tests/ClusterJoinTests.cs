using Akka.Actor;
using Akka.Cluster;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class ClusterJoinTests : IDisposable
{
    private readonly List<ClusterNode> _nodes = [];

    public void Dispose() => ClusterNode.DisposeAll(_nodes);

    [Fact]
    public async Task A_node_that_joins_itself_is_up_and_leads()
    {
        var node = Start();
        Assert.Equal(MemberStatus.Removed, node.Cluster.SelfMember.Status);
        await node.Cluster.JoinAsync(node.Address).WaitAsync(ClusterNode.Deadline);
        await node.Until(state => state.Leader == node.Address);
        Assert.True(node.Cluster.IsUp);
        Assert.Equal(MemberStatus.Up, node.Cluster.SelfMember.Status);
    }

    [Fact]
    public async Task Nodes_with_the_same_seeds_form_one_cluster_in_whatever_order_they_start()
    {
        int first = ClusterNode.FreePort(), second = ClusterNode.FreePort();
        string seeds = $"akka.cluster.seed-nodes = [\"akka.tcp://test@127.0.0.1:{first}\", \"akka.tcp://test@127.0.0.1:{second}\"]";
        Start(seeds);
        Start(seeds, second);
        Start(seeds);
        Start(seeds, first);
        await ClusterNode.AllSee(_nodes, 4);
        Assert.Single(_nodes.Select(node => node.Cluster.State.Leader).Distinct());
        Assert.Equal(_nodes.Select(node => node.Address).Order(Member.AddressOrdering),
            _nodes[0].Cluster.State.Members.Select(m => m.Address));
    }

    [Fact]
    public async Task Only_the_first_of_the_seeds_may_form_a_cluster()
    {
        var node = Start($"akka.cluster.seed-nodes = [\"akka.tcp://test@127.0.0.1:{ClusterNode.FreePort()}\"]");
        await Assert.ThrowsAnyAsync<Exception>(() => node.Cluster.JoinSeedNodesAsync(
            [new Address("akka.tcp", "test", "127.0.0.1", ClusterNode.FreePort())], new CancellationTokenSource(1500).Token));
        Assert.False(node.Cluster.IsUp);
        Assert.Empty(node.Cluster.State.Members);
    }

    [Fact]
    public async Task Joining_is_seen_as_joined_then_up()
    {
        var node = Start();
        await node.Cluster.JoinAsync(node.Address).WaitAsync(ClusterNode.Deadline);
        await node.Until(state => state.Members.Count == 1);
        var events = node.Events(typeof(ClusterEvent.IMemberEvent));
        var other = Start();
        other.Cluster.Join(node.Address);
        Assert.Equal(other.Address, events.Next<ClusterEvent.MemberJoined>().Member.Address);
        var up = events.Next<ClusterEvent.MemberUp>().Member;
        Assert.Equal((other.Cluster.SelfUniqueAddress, MemberStatus.Up), (up.UniqueAddress, up.Status));
    }

    [Fact]
    public async Task A_subscriber_that_asks_for_events_gets_those_that_lead_to_the_current_state()
    {
        var node = Start();
        await node.Cluster.JoinAsync(node.Address).WaitAsync(ClusterNode.Deadline);
        await node.Until(state => state.Leader == node.Address);
        var inbox = new Inbox();
        node.Cluster.Subscribe(Probe.In(node.System, inbox), ClusterEvent.InitialStateAsEvents,
            typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.LeaderChanged));
        Assert.Equal(node.Address, inbox.Next<ClusterEvent.MemberUp>().Member.Address);
        Assert.Equal(node.Address, inbox.Next<ClusterEvent.LeaderChanged>().Leader);
    }

    [Fact]
    public void Only_events_of_the_cluster_can_be_subscribed_to()
    {
        var node = Start();
        var probe = Probe.In(node.System, new Inbox());
        Assert.Throws<ArgumentException>(() => node.Cluster.Subscribe(probe, typeof(string)));
    }

    [Fact]
    public async Task Roles_are_published()
    {
        var plain = Start();
        await plain.Cluster.JoinAsync(plain.Address).WaitAsync(ClusterNode.Deadline);
        var rank = Start("akka.cluster.roles = [\"rank\", \"gpu\"]");
        await rank.Cluster.JoinAsync(plain.Address).WaitAsync(ClusterNode.Deadline);
        await plain.Until(state => state.Members.Any(m => m.Address == rank.Address));
        var member = plain.Cluster.State.Members.Single(m => m.Address == rank.Address);
        Assert.Equal(["gpu", "rank"], member.Roles.Order());
        Assert.True(member.HasRole("rank"));
        Assert.False(member.HasRole("control"));
        Assert.True(plain.Cluster.SelfMember.IsOlderThan(member));
        Assert.Equal([plain.Address, rank.Address],
            plain.Cluster.State.Members.Order(Member.AgeOrdering).Select(m => m.Address));
    }

    [Fact]
    public async Task Nobody_is_up_before_the_configured_number_has_joined()
    {
        const string two = "akka.cluster.min-nr-of-members = 2";
        var first = Start(two);
        first.Cluster.Join(first.Address);
        await first.Until(state => state.Members.Any(member => member.Status == MemberStatus.Joining));
        Assert.False(first.Cluster.IsUp);
        var second = Start(two);
        await second.Cluster.JoinAsync(first.Address).WaitAsync(ClusterNode.Deadline);
        await ClusterNode.AllSee(_nodes, 2);
    }

    [Fact]
    public async Task A_callback_for_up_comes_when_the_node_is_up_and_at_once_when_it_is()
    {
        var node = Start();
        var (before, after) = (new TaskCompletionSource(), new TaskCompletionSource());
        node.Cluster.RegisterOnMemberUp(before.SetResult);
        Assert.False(before.Task.IsCompleted);
        node.Cluster.Join(node.Address);
        await before.Task.WaitAsync(ClusterNode.Deadline);
        node.Cluster.RegisterOnMemberUp(after.SetResult);
        await after.Task.WaitAsync(ClusterNode.Deadline);
    }

    [Fact]
    public async Task A_join_that_is_cancelled_fails()
    {
        var node = Start();
        using var cancel = new CancellationTokenSource();
        var joining = node.Cluster.JoinAsync(new Address("akka.tcp", "test", "127.0.0.1", ClusterNode.FreePort()), cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<ClusterJoinFailedException>(() => joining.WaitAsync(ClusterNode.Deadline));
    }

    private ClusterNode Start(string config = "", int port = 0)
    {
        var node = new ClusterNode(config, port);
        _nodes.Add(node);
        return node;
    }
}
