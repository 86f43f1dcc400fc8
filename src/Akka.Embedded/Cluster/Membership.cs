using System.Collections.Immutable;
using Akka.Actor;

namespace Akka.Cluster;

/// <summary>What the state machine of membership reacts to.</summary>
internal abstract record MembershipInput
{
    /// <summary>A node wants in.</summary>
    public sealed record Join(UniqueAddress Node, ImmutableHashSet<string> Roles) : MembershipInput;

    /// <summary>The answer to our join.</summary>
    public sealed record Welcomed(Gossip Gossip) : MembershipInput;

    /// <summary>Gossip of a member came.</summary>
    public sealed record Received(UniqueAddress From, Gossip Gossip) : MembershipInput;

    public sealed record Leave(Address Address) : MembershipInput;

    public sealed record Down(Address Address) : MembershipInput;

    /// <summary>Those of the monitored members that do not answer now.</summary>
    public sealed record Observed(ImmutableSortedSet<UniqueAddress> Unreachable) : MembershipInput;

    /// <summary>A leaving member is ready to be removed.</summary>
    public sealed record ReadyToExit(UniqueAddress Node) : MembershipInput;

    /// <summary>A gossip interval passed.</summary>
    public sealed record GossipTick : MembershipInput;

    /// <summary>Moves members on, if <see cref="Membership.MayLead"/>: a step of its own, so that each change is an event.</summary>
    public sealed record Lead : MembershipInput;
}

/// <summary>A message that the state machine wants sent; Welcome answers a join, otherwise it is gossip.</summary>
internal sealed record MembershipOutput(UniqueAddress To, bool Welcome);

/// <summary>
/// The membership protocol of one node as a value: (state, input) -> (state, messages to send). The leader of the moment moves
/// members on, to Up once there are enough; what it decides spreads as gossip, at once to those who have not seen it and by
/// intervals to catch what was lost.
/// </summary>
internal sealed record Membership(UniqueAddress Self, int MinMembers, Gossip Gossip)
{
    /// <summary>How many get a change at once: from the node that made it, and from one that passes it on.</summary>
    private const int OriginFanout = 9, RelayFanout = 2;

    private int Round { get; init; }

    /// <summary>Exiting members that may be removed.</summary>
    private ImmutableHashSet<UniqueAddress> Ready { get; init; } = [];

    /// <summary>Ourselves in the gossip, or null.</summary>
    public Member SelfMember => Gossip.Members.GetValueOrDefault(Self);

    /// <summary>The others have put us out.</summary>
    public bool IsExpelled => SelfMember is { Status: MemberStatus.Down } || Gossip.Removed.ContainsKey(Self);

    public bool IsLeader => SelfMember is not null && Gossip.Leader(Self)?.UniqueAddress == Self;

    /// <summary>We lead, everybody has seen the state, and there is something to decide.</summary>
    public bool MayLead => IsLeader && Gossip.IsConverged(Self) && !ReferenceEquals(Lead(), Gossip);

    public (Membership, ImmutableArray<MembershipOutput>) Step(MembershipInput input)
    {
        var next = Apply(input, out var direct).Stamp();
        var targets = next.Targets(this, input).Select(node => new MembershipOutput(node, Welcome: false));
        return (next with { Round = next.Round + 1 }, [.. direct, .. targets]);
    }

    private Membership Apply(MembershipInput input, out ImmutableArray<MembershipOutput> direct)
    {
        direct = [];
        switch (input)
        {
            case MembershipInput.Join join:
                return OnJoin(join, out direct);
            case MembershipInput.Welcomed welcomed when Gossip.Members.IsEmpty && welcomed.Gossip.Members.ContainsKey(Self):
                return this with { Gossip = welcomed.Gossip };
            case MembershipInput.Received received when Knows(received):
                return this with { Gossip = Gossip.Merge(received.Gossip) };
            case MembershipInput.Received { From: var from } when Gossip.Removed.ContainsKey(from):
                direct = [new MembershipOutput(from, Welcome: false)];
                return this;
            case MembershipInput.Leave leave when Gossip.Find(leave.Address) is { Stage: < 2 } member:
                return this with { Gossip = Gossip.With(member.With(MemberStatus.Leaving)) };
            case MembershipInput.Down down when Gossip.Find(down.Address) is { Stage: < 4 } member:
                return this with { Gossip = Gossip.With(member.With(MemberStatus.Down)) };
            case MembershipInput.Observed observed:
                return Observe(observed.Unreachable);
            case MembershipInput.ReadyToExit ready:
                return this with { Ready = Ready.Add(ready.Node) };
            case MembershipInput.Lead when MayLead:
                return this with { Gossip = Lead() };
            default:
                return this;
        }
    }

    private Membership OnJoin(MembershipInput.Join join, out ImmutableArray<MembershipOutput> direct)
    {
        direct = [];
        var old = Gossip.Find(join.Node.Address);
        bool first = Gossip.Members.IsEmpty && join.Node == Self;
        if (!first && SelfMember is null or { Stage: > 2 }) return this;
        if (Gossip.Removed.ContainsKey(join.Node))
        {
            direct = [new MembershipOutput(join.Node, Welcome: false)];
            return this;
        }
        // A restarted node has to wait until the leader has removed what it was before; it will ask again.
        if (old is not null && old.UniqueAddress != join.Node) return this with { Gossip = Gossip.With(old.With(MemberStatus.Down)) };
        if (!first) direct = [new MembershipOutput(join.Node, Welcome: true)];
        if (old is not null) return this;
        return this with { Gossip = Gossip.With(new Member(join.Node, MemberStatus.Joining, Member.NotUpYet, join.Roles)) };
    }

    /// <summary>Gossip counts between members of one cluster; but who says that we are removed may be newer than our view.</summary>
    private bool Knows(MembershipInput.Received received) => received.Gossip.Removed.ContainsKey(Self)
        || (Gossip.Members.ContainsKey(received.From) && received.Gossip.Members.ContainsKey(Self));

    private Membership Observe(ImmutableSortedSet<UniqueAddress> unreachable)
    {
        unreachable = [.. unreachable.Where(Gossip.Members.ContainsKey).Where(node => node != Self)];
        var mine = Gossip.Observations.GetValueOrDefault(Self);
        if (mine is null || SelfMember is null || mine.Unreachable.SetEquals(unreachable)) return this;
        mine = mine with { Version = mine.Version + 1, Unreachable = unreachable };
        return this with { Gossip = Gossip with { Observations = Gossip.Observations.SetItem(Self, mine) } };
    }

    /// <summary>Notes that we have seen the state.</summary>
    private Membership Stamp()
    {
        var mine = Gossip.Observations.GetValueOrDefault(Self) ?? new Observation(0, [], 0);
        if (SelfMember is null || mine.Seen == Gossip.Digest) return this;
        mine = mine with { Version = mine.Version + 1, Seen = Gossip.Digest };
        return this with { Gossip = Gossip with { Observations = Gossip.Observations.SetItem(Self, mine) } };
    }

    /// <summary>What the leader decides; the same object if there is nothing to decide.</summary>
    private Gossip Lead()
    {
        var gossip = Gossip;
        int upNumber = Gossip.Members.Values.Where(m => m.UpNumber != Member.NotUpYet).Select(m => m.UpNumber).DefaultIfEmpty(0).Max();
        bool enough = Gossip.Members.Values.Count(m => m.Stage <= 1) >= MinMembers;
        foreach (var member in Gossip.Members.Values)
        {
            bool gone = Gossip.Unreachable.Contains(member.UniqueAddress) || Ready.Contains(member.UniqueAddress);
            gossip = member.Status switch
            {
                MemberStatus.Joining when enough => gossip.With(member.Up(++upNumber)),
                MemberStatus.Leaving => gossip.With(member.With(MemberStatus.Exiting)),
                MemberStatus.Down => gossip.Remove(member),
                MemberStatus.Exiting when gone => gossip.Remove(member),
                _ => gossip,
            };
        }
        return gossip;
    }

    private List<UniqueAddress> Targets(Membership before, MembershipInput input)
    {
        var targets = new List<UniqueAddress>();
        if (Gossip.Members.IsEmpty) return targets;
        bool changed = Gossip.Digest != before.Gossip.Digest;
        var received = input as MembershipInput.Received;
        // Whoever was put out answers nothing: the others would tell it again, and so on without a pause.
        if (received is not null && before.Knows(received) && SelfMember is not null)
        {
            // They do not know yet what we know, or that we have seen it.
            if (Gossip.Digest != received.Gossip.Digest || MyVersion(received.Gossip) < MyVersion(Gossip)) targets.Add(received.From);
            if (changed && Gossip.Leader(Self) is { } leader) targets.Add(leader.UniqueAddress);
        }
        if (changed || input is MembershipInput.GossipTick)
        {
            int fanout = !changed ? 1 : received is null || IsLeader ? OriginFanout : RelayFanout;
            var others = Reachable().Select(m => m.UniqueAddress).Where(node => node != Self).ToList();
            int start = others.Count == 0 ? 0 : Round % others.Count;
            targets.AddRange(others.Skip(start).Concat(others.Take(start)).OrderBy(Gossip.IsSeenBy).Take(fanout));
            // Those put out must learn of it, though nobody gossips with them any more.
            targets.AddRange(before.Gossip.Members.Values.Where(m => m.Stage < 4).Select(m => m.UniqueAddress).Where(IsPutOut));
        }
        return [.. targets.Distinct().Where(node => node != Self)];
    }

    private bool IsPutOut(UniqueAddress node) =>
        Gossip.Removed.GetValueOrDefault(node) is { Downed: true } || Gossip.Members.GetValueOrDefault(node) is { Stage: 4 };

    private long MyVersion(Gossip gossip) => gossip.Observations.GetValueOrDefault(Self)?.Version ?? 0;

    private IEnumerable<Member> Reachable()
    {
        var mine = Gossip.Observations.GetValueOrDefault(Self)?.Unreachable ?? [];
        return Gossip.Members.Values.Where(m => m.Stage < 4 && !mine.Contains(m.UniqueAddress));
    }
}
