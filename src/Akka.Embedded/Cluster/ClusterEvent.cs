using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;

namespace Akka.Cluster;

/// <summary>What subscribers of the cluster get.</summary>
public class ClusterEvent
{
    private ClusterEvent()
    {
    }

    /// <summary>What comes first after a Subscribe.</summary>
    public enum SubscriptionInitialStateMode
    {
        /// <summary>One CurrentClusterState.</summary>
        InitialStateAsSnapshot = 0,

        /// <summary>The events that lead from an empty cluster to the current one.</summary>
        InitialStateAsEvents = 1,
    }

    public static readonly SubscriptionInitialStateMode InitialStateAsSnapshot = SubscriptionInitialStateMode.InitialStateAsSnapshot;
    public static readonly SubscriptionInitialStateMode InitialStateAsEvents = SubscriptionInitialStateMode.InitialStateAsEvents;

    public interface IClusterDomainEvent : IDeadLetterSuppression;

    public interface IMemberEvent : IClusterDomainEvent
    {
        Member Member { get; }
    }

    public interface IReachabilityEvent : IClusterDomainEvent
    {
        Member Member { get; }
    }

    /// <summary>The base of the events about one member.</summary>
    public abstract class MemberStatusChange(Member member) : IMemberEvent
    {
        public Member Member { get; } = member;
        public override string ToString() => $"{GetType().Name}({Member})";
    }

    public sealed class MemberJoined(Member member) : MemberStatusChange(member);

    public sealed class MemberUp(Member member) : MemberStatusChange(member);

    public sealed class MemberLeft(Member member) : MemberStatusChange(member);

    public sealed class MemberExited(Member member) : MemberStatusChange(member);

    public sealed class MemberDowned(Member member) : MemberStatusChange(member);

    public sealed class MemberRemoved(Member member, MemberStatus previousStatus) : MemberStatusChange(member)
    {
        /// <summary>Exiting after a graceful leave, Down after a crash.</summary>
        public MemberStatus PreviousStatus { get; } = previousStatus;
    }

    /// <summary>The base of the two that say whether a member answers.</summary>
    public abstract class ReachabilityEvent(Member member) : IReachabilityEvent
    {
        public Member Member { get; } = member;
        public override string ToString() => $"{GetType().Name}({Member})";
    }

    public sealed class UnreachableMember(Member member) : ReachabilityEvent(member);

    public sealed class ReachableMember(Member member) : ReachabilityEvent(member);

    /// <summary>Leader is null when there is none.</summary>
    public sealed class LeaderChanged(Address leader) : IClusterDomainEvent
    {
        public Address Leader { get; } = leader;
        public override string ToString() => $"LeaderChanged({Leader})";
    }

    /// <summary>The cluster as one node sees it.</summary>
    public sealed class CurrentClusterState
    {
        internal CurrentClusterState(ImmutableSortedSet<Member> members, ImmutableHashSet<Member> unreachable, Address leader) =>
            (Members, Unreachable, Leader) = (members, unreachable, leader);

        /// <summary>By address.</summary>
        public ImmutableSortedSet<Member> Members { get; }
        public ImmutableHashSet<Member> Unreachable { get; }
        public Address Leader { get; }
    }
}
