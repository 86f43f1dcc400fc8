using System.Text;
using Akka.Actor;

namespace Akka.Remote;

/// <summary>A reference to an actor of another system.</summary>
internal sealed class RemoteActorRef(RemoteTransport transport, ActorPath path) : InternalActorRef
{
    private Peer _peer;

    public override ActorPath Path => path;
    internal override ActorSystemImpl System => transport.System;

    public string PathText { get; } = path.ToSerializationFormat();

    public byte[] PathUtf8 => field ??= Encoding.UTF8.GetBytes(PathText);

    /// <summary>The peer behind it; null if there is no room for one.</summary>
    public Peer Peer => _peer is { IsRetired: false } known ? known : _peer = transport.PeerFor(path.Address);

    public override void Tell(object message, IActorRef sender)
    {
        if (message is null) throw new InvalidMessageException("a message must not be null");
        transport.Outbox.Send(this, message, sender);
    }

    internal override void SendSystemMessage(SystemMessage message)
    {
        switch (message)
        {
            case Watch watch:
                transport.Watches.Ours(FrameKind.Watch, this, watch.Watcher);
                break;
            case Unwatch unwatch:
                transport.Watches.Ours(FrameKind.Unwatch, this, unwatch.Watcher);
                break;
            case DeathWatchNotification stopped:
                transport.Watches.OursStopped((InternalActorRef)stopped.Actor, this, stopped.ExistenceConfirmed);
                break;
            default:
                transport.CountLost($"{message.GetType().Name} does not travel, for {path}");
                break;
        }
    }
}
