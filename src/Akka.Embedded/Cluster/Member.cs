using System.Collections.Immutable;
using Akka.Actor;

namespace Akka.Cluster;

/// <summary>How far a member is on its way in and out.</summary>
public enum MemberStatus
{
    Joining = 0,
    Up = 1,
    Leaving = 2,
    Exiting = 3,
    Down = 4,
    Removed = 5,
}

/// <summary>One incarnation of a node: a restarted actor system has the address of the old one and another uid.</summary>
public class UniqueAddress(Address address, int uid) : IComparable<UniqueAddress>, IEquatable<UniqueAddress>
{
    public Address Address { get; } = address;
    public int Uid { get; } = uid;

    public int CompareTo(UniqueAddress other)
    {
        if (other is null) return 1;
        int byAddress = Member.AddressOrdering.Compare(Address, other.Address);
        return byAddress != 0 ? byAddress : Uid.CompareTo(other.Uid);
    }

    public bool Equals(UniqueAddress other) => other is not null && Uid == other.Uid && Address == other.Address;
    public override bool Equals(object obj) => Equals(obj as UniqueAddress);
    public override int GetHashCode() => Uid;
    public override string ToString() => $"UniqueAddress: ({Address}, {Uid})";
    public static bool operator ==(UniqueAddress left, UniqueAddress right) => left is null ? right is null : left.Equals(right);
    public static bool operator !=(UniqueAddress left, UniqueAddress right) => !(left == right);
}

/// <summary>A node as the cluster knows it. Immutable; equal by unique address alone, ordered by address.</summary>
public class Member : IComparable<Member>, IEquatable<Member>
{
    /// <summary>By host, then port: decides the leader.</summary>
    public static readonly IComparer<Address> AddressOrdering = Comparer<Address>.Create((a, b) =>
    {
        int byHost = string.CompareOrdinal(a?.Host, b?.Host);
        return byHost != 0 ? byHost : Nullable.Compare(a?.Port, b?.Port);
    });

    /// <summary>The oldest first.</summary>
    public static readonly IComparer<Member> AgeOrdering =
        Comparer<Member>.Create((a, b) => a.Equals(b) ? 0 : a.IsOlderThan(b) ? -1 : 1);

    internal const int NotUpYet = int.MaxValue;

    internal Member(UniqueAddress node, MemberStatus status, int upNumber, ImmutableHashSet<string> roles) =>
        (UniqueAddress, Status, UpNumber, Roles) = (node, status, upNumber, roles);

    public UniqueAddress UniqueAddress { get; }
    public Address Address => UniqueAddress.Address;
    public MemberStatus Status { get; }
    public ImmutableHashSet<string> Roles { get; }

    /// <summary>Counts in the order of becoming Up, from 1.</summary>
    internal int UpNumber { get; }

    public bool HasRole(string role) => Roles.Contains(role);

    /// <summary>It became Up earlier; ties go to the lower address.</summary>
    public bool IsOlderThan(Member other) => UpNumber != other.UpNumber
        ? UpNumber < other.UpNumber : AddressOrdering.Compare(Address, other.Address) < 0;

    internal Member With(MemberStatus status) => new(UniqueAddress, status, UpNumber, Roles);

    internal Member Up(int upNumber) => new(UniqueAddress, MemberStatus.Up, upNumber, Roles);

    /// <summary>How far on its way, 0 to 5: a status only ever moves to a later one.</summary>
    internal int Stage => (int)Status;

    public int CompareTo(Member other) => UniqueAddress.CompareTo(other?.UniqueAddress);
    public bool Equals(Member other) => other is not null && UniqueAddress.Equals(other.UniqueAddress);
    public override bool Equals(object obj) => Equals(obj as Member);
    public override int GetHashCode() => UniqueAddress.GetHashCode();
    public override string ToString() => $"Member(address = {Address}, Uid={UniqueAddress.Uid} status = {Status}, "
        + $"role=[{string.Join(",", Roles)}], upNumber={UpNumber})";
}
