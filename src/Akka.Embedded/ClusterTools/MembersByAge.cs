using Akka.Cluster;

namespace Akka.Cluster.Tools.Singleton;

/// <summary>The members of a role as the events of the cluster tell of them. They count from Up until they are removed.</summary>
internal sealed class MembersByAge(string role)
{
    private readonly Dictionary<UniqueAddress, Member> _members = [];

    /// <summary>The one where the singleton belongs: the oldest that is not on its way out further than Leaving; or null.</summary>
    public Member Oldest => _members.Values.Where(IsSettled).Order(Member.AgeOrdering).FirstOrDefault();

    /// <summary>Older than this one, and on the way out: the singleton may still run there.</summary>
    public IEnumerable<Member> LeavingBefore(Member member) => _members.Values.Where(m => !IsSettled(m) && m.IsOlderThan(member));

    /// <summary>The member of that incarnation, or null.</summary>
    public Member Find(UniqueAddress node) => _members.GetValueOrDefault(node);

    public void Apply(ClusterEvent.CurrentClusterState state)
    {
        _members.Clear();
        foreach (var member in state.Members) Note(member);
    }

    public void Apply(ClusterEvent.IMemberEvent happened)
    {
        if (happened is ClusterEvent.MemberRemoved) _members.Remove(happened.Member.UniqueAddress);
        else Note(happened.Member);
    }

    private static bool IsSettled(Member member) => member.Status is MemberStatus.Up or MemberStatus.Leaving;

    private void Note(Member member)
    {
        bool counts = member.UpNumber != Member.NotUpYet && (string.IsNullOrEmpty(role) || member.HasRole(role));
        if (counts) _members[member.UniqueAddress] = member;
    }
}
