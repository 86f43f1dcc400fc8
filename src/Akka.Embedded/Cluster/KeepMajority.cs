using System.Collections.Immutable;

namespace Akka.Cluster;

/// <summary>Which side of a partition goes on: the one with more members, or at a tie the one with the lowest address.</summary>
internal static class KeepMajority
{
    /// <summary>
    /// Whom this node, as leader of its side, has to set Down: all unreachable members, or all the others. Only members that are Up or
    /// Leaving count (and have the role, if one is given).
    /// </summary>
    public static ImmutableArray<Member> Decide(Gossip gossip, UniqueAddress self, string role)
    {
        bool IsUnreachable(Member member) => member.UniqueAddress != self && gossip.Unreachable.Contains(member.UniqueAddress);
        var counted = gossip.Members.Values
            .Where(m => m.Status is MemberStatus.Up or MemberStatus.Leaving && (string.IsNullOrEmpty(role) || m.HasRole(role))).ToList();
        int lost = counted.Count(IsUnreachable), kept = counted.Count - lost;
        bool survive = kept > lost || (kept == lost && (counted.Count == 0 || !IsUnreachable(counted[0])));
        return [.. gossip.Members.Values.Where(m => m.Status != MemberStatus.Down && IsUnreachable(m) == survive)];
    }
}
