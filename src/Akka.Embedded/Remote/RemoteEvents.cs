using Akka.Actor;

namespace Akka.Remote;

/// <summary>What remoting tells on the EventStream.</summary>
public abstract class RemotingLifecycleEvent;

/// <summary>The life of one association, that is of all connections to one address.</summary>
public abstract class AssociationEvent(Address local, Address remote, bool inbound) : RemotingLifecycleEvent
{
    public Address LocalAddress { get; } = local;
    public Address RemoteAddress { get; } = remote;

    /// <summary>The peer connected to us.</summary>
    public bool IsInbound { get; } = inbound;

    public override string ToString() => $"{GetType().Name}[{LocalAddress} {(IsInbound ? "<-" : "->")} {RemoteAddress}]";
}

/// <summary>The handshake with a peer succeeded.</summary>
public sealed class AssociatedEvent(Address local, Address remote, bool inbound) : AssociationEvent(local, remote, inbound);

/// <summary>The last connection to a peer closed.</summary>
public sealed class DisassociatedEvent(Address local, Address remote, bool inbound) : AssociationEvent(local, remote, inbound);

/// <summary>Connecting failed; the address is gated.</summary>
public sealed class AssociationErrorEvent(Exception cause, Address local, Address remote, bool inbound)
    : AssociationEvent(local, remote, inbound)
{
    public Exception Cause { get; } = cause;

    public override string ToString() => $"{base.ToString()}: {Cause.Message}";
}

/// <summary>This incarnation of a peer will not be spoken to again.</summary>
public sealed class QuarantinedEvent(Address address, int uid) : RemotingLifecycleEvent
{
    public Address Address { get; } = address;
    public int Uid { get; } = uid;

    public override string ToString() => $"QuarantinedEvent[{Address}#{Uid}]: restart its actor system to reach it again";
}

/// <summary>A peer will not speak to this system until it is restarted.</summary>
public sealed class ThisActorSystemQuarantinedEvent(Address local, Address remote) : RemotingLifecycleEvent
{
    public Address LocalAddress { get; } = local;
    public Address RemoteAddress { get; } = remote;

    public override string ToString() => $"ThisActorSystemQuarantinedEvent[{LocalAddress} by {RemoteAddress}]: restart this actor system";
}
