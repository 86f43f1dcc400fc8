using System.Collections.Immutable;

namespace Akka.Cluster;

/// <summary>Asks <see cref="KeepMajority"/> once members and reachability have not changed for stable-after.</summary>
internal sealed class DowningTimer(ClusterSettings settings)
{
    private ulong _digest;
    private TimeSpan _stableSince;

    public ImmutableArray<Member> Decide(Membership state, TimeSpan now)
    {
        if (!settings.KeepsMajority) return [];
        if (_digest != state.Gossip.Digest) (_digest, _stableSince) = (state.Gossip.Digest, now);
        bool split = state.Gossip.Unreachable.Any(node => node != state.Self && state.Gossip.Members[node].Status != MemberStatus.Down);
        return split && now - _stableSince >= settings.StableAfter && state.IsLeader
            ? KeepMajority.Decide(state.Gossip, state.Self, settings.MajorityRole) : [];
    }
}
