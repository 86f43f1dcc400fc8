using Akka.Cluster;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Cluster;

public sealed class ClusterMembershipTests
{
    private readonly MembershipSimulation _cluster = new(Seed.For(nameof(ClusterMembershipTests)));

    [Fact]
    public void The_first_node_is_up_at_once()
    {
        var first = _cluster.Form(0);
        _cluster.AssertAgree([first]);
    }

    [Fact]
    public void Five_nodes_join_through_the_first()
    {
        var first = _cluster.Form(0);
        UniqueAddress[] others = [.. Enumerable.Range(1, 4).Select(node => _cluster.StartAndJoin(node, first))];
        _cluster.Settle();
        _cluster.AssertAgree([first, .. others]);
    }

    [Fact]
    public void Nobody_is_up_before_there_are_enough()
    {
        var cluster = new MembershipSimulation(Seed.For(nameof(Nobody_is_up_before_there_are_enough)), minMembers: 3);
        var first = cluster.Form(0);
        var second = cluster.StartAndJoin(1, first);
        cluster.Settle();
        Assert.All(cluster.Nodes.Values, node => Assert.Equal(MemberStatus.Joining, node.SelfMember.Status));
        var third = cluster.StartAndJoin(2, first);
        cluster.Settle();
        cluster.AssertAgree([first, second, third]);
    }

    [Fact]
    public void While_one_node_is_unreachable_nobody_joins_leaves_or_is_removed()
    {
        var (first, second, third) = Three();
        _cluster.Crash(third);
        _cluster.Settle();
        var fourth = _cluster.StartAndJoin(3, first);
        _cluster.Apply(first, new MembershipInput.Leave(second.Address));
        _cluster.Settle();
        var seen = _cluster.Nodes[first].Gossip.Members;
        Assert.Equal(MemberStatus.Joining, seen[fourth].Status);
        Assert.Equal(MemberStatus.Leaving, seen[second].Status);
        Assert.Equal(MemberStatus.Up, seen[third].Status);
        _cluster.Apply(second, new MembershipInput.Down(third.Address));
        _cluster.Settle();
        _cluster.AssertAgree([first, fourth]);
    }

    [Fact]
    public void A_restarted_node_replaces_what_it_was_before()
    {
        var (first, second, third) = Three();
        _cluster.Crash(third);
        var again = _cluster.StartAndJoin(2, second);
        _cluster.Settle();
        _cluster.AskToJoin(again, second);
        _cluster.Settle();
        _cluster.AssertAgree([first, second, again]);
    }

    [Fact]
    public void A_downed_node_learns_of_it()
    {
        var (first, second, third) = Three();
        _cluster.Apply(first, new MembershipInput.Down(third.Address));
        _cluster.Settle();
        Assert.DoesNotContain(third, _cluster.Nodes.Keys);
        _cluster.AssertAgree([first, second]);
    }

    [Fact]
    public void A_node_that_slept_through_its_removal_learns_of_it_when_it_gossips()
    {
        var (first, second, third) = Three();
        var asleep = _cluster.Nodes[third];
        _cluster.Crash(third);
        _cluster.Settle();
        _cluster.Apply(first, new MembershipInput.Down(third.Address));
        _cluster.Settle();
        _cluster.Nodes[third] = asleep;
        _cluster.Settle();
        Assert.DoesNotContain(third, _cluster.Nodes.Keys);
        _cluster.AssertAgree([first, second]);
    }

    [Fact]
    public void Old_gossip_does_not_bring_a_removed_member_back()
    {
        var (first, second, third) = Three();
        var old = _cluster.Nodes[second].Gossip;
        _cluster.Apply(first, new MembershipInput.Down(third.Address));
        _cluster.Settle();
        _cluster.Apply(first, new MembershipInput.Received(second, old));
        _cluster.AssertAgree([first, second]);
    }

    [Fact]
    public void Merging_gossip_is_commutative_and_idempotent()
    {
        var (first, second, third) = Three();
        _cluster.Apply(first, new MembershipInput.Leave(second.Address));
        _cluster.Apply(third, new MembershipInput.Down(second.Address));
        Gossip a = _cluster.Nodes[first].Gossip, b = _cluster.Nodes[third].Gossip;
        Assert.NotEqual(a.Digest, b.Digest);
        Assert.Equal(a.Merge(b).Digest, b.Merge(a).Digest);
        Assert.Equal(a.Merge(b).Digest, a.Merge(b).Merge(b).Merge(a).Digest);
    }

    private (UniqueAddress, UniqueAddress, UniqueAddress) Three()
    {
        var first = _cluster.Form(0);
        var (second, third) = (_cluster.StartAndJoin(1, first), _cluster.StartAndJoin(2, first));
        _cluster.Settle();
        _cluster.AssertAgree([first, second, third]);
        return (first, second, third);
    }
}
