using Akka.Actor;

namespace Akka.Remote;

/// <summary>What remoting tells on the EventStream.</summary>
public abstract class RemotingLifecycleEvent;

/// <summary>The life of one association, that is of all connections to one address.</summary>
public abstract class AssociationEvent : RemotingLifecycleEvent
{
    private protected AssociationEvent(Address local, Address remote, bool inbound) =>
        (LocalAddress, RemoteAddress, IsInbound) = (local, remote, inbound);

    public Address LocalAddress { get; }
    public Address RemoteAddress { get; }

    /// <summary>The peer connected to us.</summary>
    public bool IsInbound { get; }

    public override string ToString() => $"{GetType().Name}[{LocalAddress} {(IsInbound ? "<-" : "->")} {RemoteAddress}]";
}

/// <summary>The handshake with a peer succeeded.</summary>
public sealed class AssociatedEvent : AssociationEvent
{
    internal AssociatedEvent(Address local, Address remote, bool inbound) : base(local, remote, inbound)
    {
    }
}

/// <summary>The last connection to a peer closed.</summary>
public sealed class DisassociatedEvent : AssociationEvent
{
    internal DisassociatedEvent(Address local, Address remote, bool inbound) : base(local, remote, inbound)
    {
    }
}

/// <summary>Connecting failed; the address is gated.</summary>
public sealed class AssociationErrorEvent : AssociationEvent
{
    internal AssociationErrorEvent(Exception cause, Address local, Address remote, bool inbound)
        : base(local, remote, inbound) => Cause = cause;

    public Exception Cause { get; }

    public override string ToString() => $"{base.ToString()}: {Cause.Message}";
}

/// <summary>This incarnation of a peer will not be spoken to again.</summary>
public sealed class QuarantinedEvent : RemotingLifecycleEvent
{
    internal QuarantinedEvent(Address address, int uid) => (Address, Uid) = (address, uid);

    public Address Address { get; }
    public int Uid { get; }

    public override string ToString() => $"QuarantinedEvent[{Address}#{Uid}]: restart its actor system to reach it again";
}

/// <summary>A peer will not speak to this system until it is restarted.</summary>
public sealed class ThisActorSystemQuarantinedEvent : RemotingLifecycleEvent
{
    internal ThisActorSystemQuarantinedEvent(Address local, Address remote) => (LocalAddress, RemoteAddress) = (local, remote);

    public Address LocalAddress { get; }
    public Address RemoteAddress { get; }

    public override string ToString() => $"ThisActorSystemQuarantinedEvent[{LocalAddress} by {RemoteAddress}]: restart this actor system";
}
