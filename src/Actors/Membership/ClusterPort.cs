using Akka.Actor;
using Akka.Cluster;

namespace Troupe.Actors.Membership;

/// <summary>A member as the cluster's own gossip shows it.</summary>
public sealed record MemberSnapshot(string Address, IReadOnlyList<string> Roles, string Status, bool Reachable);

/// <summary>What the coordinator needs of Akka's cluster; a world inside one process has none.</summary>
public interface IClusterPort
{
    /// <summary>All members, by address.</summary>
    IReadOnlyList<MemberSnapshot> Members();

    /// <summary>Marks a member down at once.</summary>
    void Down(string address);

    /// <summary>Asks a member to leave.</summary>
    void Leave(string address);
}

/// <summary>The real thing.</summary>
public sealed class AkkaClusterPort(ActorSystem system) : IClusterPort
{
    private readonly Cluster _cluster = Cluster.Get(system);

    /// <inheritdoc/>
    public IReadOnlyList<MemberSnapshot> Members()
    {
        ClusterEvent.CurrentClusterState state = _cluster.State;
        return [.. state.Members.Select(m =>
            new MemberSnapshot(m.Address.HostPort(), [.. m.Roles.Order(StringComparer.Ordinal)], m.Status.ToString().ToLowerInvariant(),
                !state.Unreachable.Contains(m)))];
    }

    /// <inheritdoc/>
    public void Down(string address) => On(address, _cluster.Down);

    /// <inheritdoc/>
    public void Leave(string address) => On(address, _cluster.Leave);

    private void On(string address, Action<Address> act)
    {
        Member? member = _cluster.State.Members.FirstOrDefault(m => m.Address.HostPort() == address || m.Address.ToString() == address
            || $"{m.Address.Host}:{m.Address.Port}" == address);
        if (member is not null) act(member.Address);
    }
}

/// <summary>All ranks in one process: one member, which is this one.</summary>
public sealed class LocalClusterPort : IClusterPort
{
    /// <inheritdoc/>
    public IReadOnlyList<MemberSnapshot> Members() => [new MemberSnapshot("local", ["control", "rank"], "up", true)];

    /// <inheritdoc/>
    public void Down(string address)
    {
        // Nothing to mark: the process is the cluster.
    }

    /// <inheritdoc/>
    public void Leave(string address)
    {
        // As above.
    }
}
