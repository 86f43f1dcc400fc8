using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Cluster;

public sealed class ClusterDecisionTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void A_downing_provider_is_refused_also_the_one_that_Akka_NET_would_take_by_default()
    {
        const string Clustered = "akka.actor.provider = cluster\nakka.remote.dot-netty.tcp { hostname = \"127.0.0.1\", port = 0 }\n";
        foreach (string downing in new[] { "", "akka.cluster.downing-provider-class = \"Akka.Cluster.NoDowning, Akka.Cluster\"" })
        {
            var refused = Assert.Throws<ConfigurationException>(() => Systems.Quiet(Clustered + downing));
            Assert.Contains("downing-provider-class must be \"\"", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_only_seed_forms_a_cluster_at_once() =>
        Assert.IsType<JoinStep.FormCluster>(Process(self: 0, seeds: [0]).Tick(TimeSpan.Zero).Item2);

    [Fact]
    public void The_first_seed_asks_the_others_and_forms_a_cluster_when_all_refuse()
    {
        var (process, step) = Process(self: 0, seeds: [0, 1, 2]).Tick(TimeSpan.Zero);
        Assert.Equal([At(1), At(2)], Assert.IsType<JoinStep.Ask>(step).Seeds.ToArray());
        (process, step) = process.Answered(At(1), false, Second);
        Assert.IsType<JoinStep.Nothing>(step);
        Assert.IsType<JoinStep.FormCluster>(process.Answered(At(2), false, Second).Item2);
    }

    [Fact]
    public void The_first_seed_forms_a_cluster_when_the_time_is_over()
    {
        var (process, step) = Process(self: 0, seeds: [0, 1]).Tick(4 * Second);
        Assert.IsType<JoinStep.Ask>(step);
        Assert.IsType<JoinStep.FormCluster>(process.Tick(5 * Second).Item2);
    }

    [Fact]
    public void The_first_seed_joins_who_accepts()
    {
        var (process, step) = Process(self: 0, seeds: [0, 1]).Answered(At(1), true, Second);
        Assert.Equal(At(1), Assert.IsType<JoinStep.Join>(step).Contact);
        Assert.Equal(At(1), Assert.IsType<JoinStep.Join>(process.Tick(2 * Second).Item2).Contact);
    }

    [Fact]
    public void Others_ask_for_ever_and_never_form_a_cluster()
    {
        var process = Process(self: 7, seeds: [0, 1]);
        for (int second = 0; second < 1000; second++)
        {
            (process, var step) = process.Tick(second * Second);
            Assert.IsType<JoinStep.Ask>(step);
            (process, step) = process.Answered(At(second % 2), false, second * Second);
            Assert.IsType<JoinStep.Nothing>(step);
        }
    }

    [Fact]
    public void A_contact_that_never_lets_us_in_is_given_up()
    {
        var (process, _) = Process(self: 7, seeds: [0, 1]).Answered(At(1), true, Second);
        Assert.IsType<JoinStep.Join>(process.Tick(11 * Second).Item2);
        Assert.IsType<JoinStep.Ask>(process.Tick(12 * Second).Item2);
    }

    [Fact]
    public void Events_come_in_their_order()
    {
        Member[] all =
        [
            MemberAt(0, MemberStatus.Up, "x"), MemberAt(1, MemberStatus.Up), MemberAt(2, MemberStatus.Exiting),
            MemberAt(3, MemberStatus.Up),
        ];
        var self = all[1].UniqueAddress;
        var before = Of(all, self, [all[3]]);
        var after = Of([all[0], all[1].With(MemberStatus.Leaving), all[3], MemberAt(4, MemberStatus.Joining)], self, [all[0]]);
        Assert.Equal(
        [
            typeof(ClusterEvent.MemberLeft), typeof(ClusterEvent.MemberJoined), typeof(ClusterEvent.MemberRemoved),
            typeof(ClusterEvent.UnreachableMember), typeof(ClusterEvent.ReachableMember), typeof(ClusterEvent.LeaderChanged),
        ], ClusterEvents.Between(before, after, self).Select(happened => happened.GetType()));
    }

    [Fact]
    public void A_member_that_was_downed_and_removed_between_two_views_is_seen_as_both()
    {
        Member[] all = [MemberAt(0, MemberStatus.Up), MemberAt(1, MemberStatus.Up)];
        var before = Of(all, all[0].UniqueAddress, []);
        var after = before.With(all[1].With(MemberStatus.Down)).Remove(all[1].With(MemberStatus.Down));
        var events = ClusterEvents.Between(before, after, all[0].UniqueAddress);
        Assert.IsType<ClusterEvent.MemberDowned>(events[0]);
        Assert.Equal(MemberStatus.Down, Assert.IsType<ClusterEvent.MemberRemoved>(events[1]).PreviousStatus);
    }

    private static Address At(int i) => MembershipSimulation.AddressOf(i);

    private static JoinProcess Process(int self, int[] seeds) =>
        JoinProcess.WithSeeds(At(self), [.. seeds.Select(At)], 5 * Second, 10 * Second, TimeSpan.Zero);

    private static Member MemberAt(int i, MemberStatus status, params string[] roles) =>
        new(new UniqueAddress(At(i), i + 1), status, i + 1, [.. roles]);

    private static Gossip Of(IEnumerable<Member> members, UniqueAddress observer, IEnumerable<Member> unreachable)
    {
        var gossip = members.Aggregate(Gossip.Empty, (all, member) => all.With(member));
        var observation = new Observation(1, [.. unreachable.Select(member => member.UniqueAddress)], 0);
        return gossip with { Observations = ImmutableDictionary<UniqueAddress, Observation>.Empty.Add(observer, observation) };
    }
}
