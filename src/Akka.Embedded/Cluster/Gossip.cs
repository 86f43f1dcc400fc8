using System.Collections.Immutable;
using Akka.Actor;

namespace Akka.Cluster;

/// <summary>What one member says about the others; only it writes this. Seen is the digest of the gossip that it saw last.</summary>
internal sealed record Observation(long Version, ImmutableSortedSet<UniqueAddress> Unreachable, ulong Seen);

/// <summary>A member that is gone for good. Order counts removals, so that the oldest can be forgotten.</summary>
internal sealed record Tombstone(long Order, bool Downed);

/// <summary>
/// The cluster's state as one node knows it. All parts only grow (statuses move forward, removed members stay so, observations
/// have versions), so merging is commutative, associative and idempotent, and all nodes that exchange gossip end with the same.
/// </summary>
internal sealed record Gossip(
    ImmutableSortedDictionary<UniqueAddress, Member> Members,
    ImmutableDictionary<UniqueAddress, Observation> Observations,
    ImmutableDictionary<UniqueAddress, Tombstone> Removed)
{
    /// <summary>How many removed members are remembered: far more than can be in gossip that still travels.</summary>
    public const int MaxRemoved = 128;

    // Members are equal whatever their status; without this comparer the dictionary would not take a change of it.
    public static readonly Gossip Empty = new(
        ImmutableSortedDictionary.Create<UniqueAddress, Member>(null, ReferenceEqualityComparer.Instance),
        ImmutableDictionary<UniqueAddress, Observation>.Empty,
        ImmutableDictionary<UniqueAddress, Tombstone>.Empty);

    private ulong _digest;
    private ImmutableSortedSet<UniqueAddress> _unreachable;

    private Gossip(Gossip original) =>
        (Members, Observations, Removed) = (original.Members, original.Observations, original.Removed);

    /// <summary>The same on all nodes that know the same members, statuses and reachability.</summary>
    public ulong Digest => _digest != 0 ? _digest : _digest = ComputeDigest();

    /// <summary>Whom any member that is not Down calls unreachable.</summary>
    public ImmutableSortedSet<UniqueAddress> Unreachable => _unreachable ??=
    [
        .. Members.Values.Where(m => m.Status != MemberStatus.Down)
            .SelectMany(m => Observations.GetValueOrDefault(m.UniqueAddress)?.Unreachable ?? []).Where(Members.ContainsKey),
    ];

    public Member Find(Address address) => Members.Values.FirstOrDefault(m => m.Address == address);

    public Gossip With(Member member) => Removed.ContainsKey(member.UniqueAddress)
        ? this : this with { Members = Members.SetItem(member.UniqueAddress, member) };

    public Gossip Remove(Member member)
    {
        long order = Removed.IsEmpty ? 1 : Removed.Values.Max(stone => stone.Order) + 1;
        return Bury(Removed.SetItem(member.UniqueAddress, new Tombstone(order, member.Status == MemberStatus.Down)));
    }

    /// <summary>What both know together.</summary>
    public Gossip Merge(Gossip other)
    {
        var members = Members;
        foreach (var (node, theirs) in other.Members)
            members = members.SetItem(node, Members.TryGetValue(node, out var ours) ? Merge(ours, theirs) : theirs);
        var observations = Observations;
        foreach (var (node, theirs) in other.Observations)
        {
            if (!Observations.TryGetValue(node, out var ours) || ours.Version < theirs.Version)
                observations = observations.SetItem(node, theirs);
        }
        var removed = Removed;
        foreach (var (node, theirs) in other.Removed)
        {
            removed = removed.SetItem(node, Removed.TryGetValue(node, out var ours)
                ? new Tombstone(Math.Max(ours.Order, theirs.Order), ours.Downed || theirs.Downed) : theirs);
        }
        return (this with { Members = members, Observations = observations }).Bury(removed);
    }

    /// <summary>This member has seen exactly this state.</summary>
    public bool IsSeenBy(UniqueAddress node) => Observations.TryGetValue(node, out var observation) && observation.Seen == Digest;

    /// <summary>All that take part in decisions have seen this state, and whoever is unreachable is on the way out.</summary>
    public bool IsConverged(UniqueAddress self) =>
        Unreachable.All(node => node == self || Members[node].Status is MemberStatus.Down or MemberStatus.Exiting)
        && Members.Values.All(m => m.Status is not (MemberStatus.Up or MemberStatus.Leaving) || IsSeenBy(m.UniqueAddress));

    /// <summary>The lowest address among the reachable that are Up or Leaving; before there are such, whoever is next to it.</summary>
    public Member Leader(UniqueAddress self) => Members.Values
        .Where(m => m.Status != MemberStatus.Down && (m.UniqueAddress == self || !Unreachable.Contains(m.UniqueAddress)))
        .MinBy(m => m.Status switch
        {
            MemberStatus.Up or MemberStatus.Leaving => 0,
            MemberStatus.Joining => 1,
            _ => 2,
        });

    /// <summary>Whom this node has to send heartbeats: the next ones in the ring of addresses.</summary>
    public IEnumerable<Member> MonitoredBy(UniqueAddress self, int count) =>
        Members.Values.Where(m => m.UniqueAddress.CompareTo(self) > 0)
            .Concat(Members.Values.Where(m => m.UniqueAddress.CompareTo(self) < 0)).Take(count);

    private Gossip Bury(ImmutableDictionary<UniqueAddress, Tombstone> removed)
    {
        while (removed.Count > MaxRemoved) removed = removed.Remove(removed.MinBy(entry => entry.Value.Order).Key);
        var gone = Members.Keys.Concat(Observations.Keys).Where(removed.ContainsKey).ToArray();
        return this with { Removed = removed, Members = Members.RemoveRange(gone), Observations = Observations.RemoveRange(gone) };
    }

    private static Member Merge(Member ours, Member theirs)
    {
        var ahead = theirs.Stage > ours.Stage ? theirs : ours;
        int upNumber = Math.Min(ours.UpNumber, theirs.UpNumber);
        return ahead.UpNumber == upNumber
            ? ahead : new Member(ahead.UniqueAddress, ahead.Status, upNumber, ahead.Roles);
    }

    private ulong ComputeDigest()
    {
        ulong hash = 14695981039346656037;
        void Mix(int value) => hash = (hash ^ (uint)value) * 1099511628211;
        void MixNode(UniqueAddress node)
        {
            foreach (char c in node.Address.ToString()) Mix(c);
            Mix(node.Uid);
        }
        foreach (var (node, member) in Members)
        {
            MixNode(node);
            Mix((int)member.Status);
            Mix(member.UpNumber);
            if (!Observations.TryGetValue(node, out var observation)) continue;
            foreach (var unreachable in observation.Unreachable.Where(Members.ContainsKey)) MixNode(unreachable);
        }
        return hash == 0 ? 1 : hash;
    }
}
