using System.Collections.Immutable;
using Akka.Actor;

namespace Akka.Cluster;

/// <summary>From gossip to what subscribers see.</summary>
internal static class ClusterEvents
{
    public static ClusterEvent.CurrentClusterState Snapshot(Gossip gossip, UniqueAddress self) =>
        new([.. gossip.Members.Values], [.. Unreachable(gossip, self)], gossip.Leader(self)?.Address);

    /// <summary>What happened between two views of one node, in the order in which subscribers get it.</summary>
    public static List<ClusterEvent.IClusterDomainEvent> Between(Gossip before, Gossip after, UniqueAddress self)
    {
        var events = new List<ClusterEvent.IClusterDomainEvent>();
        foreach (var member in after.Members.Values)
        {
            if (before.Members.GetValueOrDefault(member.UniqueAddress)?.Status != member.Status) events.Add(Changed(member));
        }
        var removed = before.Members.Values.Where(member => !after.Members.ContainsKey(member.UniqueAddress)).ToList();
        // Whoever was away while the leader took both steps still sees both.
        var downed = removed.Where(m => m.Stage < 4 && after.Removed.GetValueOrDefault(m.UniqueAddress) is { Downed: true }).ToHashSet();
        events.AddRange(downed.Select(member => Changed(member.With(MemberStatus.Down))));
        events.AddRange(removed.Select(member => new ClusterEvent.MemberRemoved(
            member.With(MemberStatus.Removed), downed.Contains(member) ? MemberStatus.Down : member.Status)));
        List<Member> old = Unreachable(before, self), now = Unreachable(after, self);
        events.AddRange(now.Except(old).Select(member => new ClusterEvent.UnreachableMember(member)));
        events.AddRange(old.Except(now).Where(m => after.Members.ContainsKey(m.UniqueAddress))
            .Select(m => new ClusterEvent.ReachableMember(after.Members[m.UniqueAddress])));
        var leader = after.Leader(self)?.Address;
        if (leader != before.Leader(self)?.Address) events.Add(new ClusterEvent.LeaderChanged(leader));
        return events;
    }

    private static List<Member> Unreachable(Gossip gossip, UniqueAddress self) =>
        [.. gossip.Unreachable.Where(node => node != self).Select(node => gossip.Members[node])];

    private static ClusterEvent.IClusterDomainEvent Changed(Member member) => member.Status switch
    {
        MemberStatus.Joining => new ClusterEvent.MemberJoined(member),
        MemberStatus.Up => new ClusterEvent.MemberUp(member),
        MemberStatus.Leaving => new ClusterEvent.MemberLeft(member),
        MemberStatus.Exiting => new ClusterEvent.MemberExited(member),
        _ => new ClusterEvent.MemberDowned(member),
    };
}
