using System.Runtime.CompilerServices;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Akka.Serialization;

namespace Akka.Remote;

/// <summary>From a message to a frame, on the thread of whoever tells it.</summary>
internal sealed class Outbox(RemoteTransport transport)
{
    private readonly ConditionalWeakTable<IActorRef, byte[]> _senders = [];

    public void Send(RemoteActorRef recipient, object message, IActorRef sender)
    {
        if (recipient.Peer is not { IsGated: false })
        {
            transport.System.PublishDeadLetter(message, sender, recipient);
            return;
        }
        WireWriter frame;
        try
        {
            frame = Encode(recipient, message, sender);
        }
        catch (Exception e)
        {
            // Any serializer may stand behind this; what it cannot write is the sender's loss alone.
            transport.Log.Error(e, "{0} for {1} cannot be written and is dropped", message.GetType(), recipient.Path);
            return;
        }
        int limit = transport.Settings.MaximumFrameSize;
        if (frame.Length - 4 > limit)
        {
            transport.Log.Error("{0} for {1} makes {2} bytes and is dropped; akka.remote.dot-netty.tcp.maximum-frame-size allows {3}",
                message.GetType(), recipient.Path, frame.Length - 4, limit);
            frame.Return();
            return;
        }
        var outgoing = new Outgoing(frame, message, sender, recipient);
        while (recipient.Peer is { } peer)
        {
            if (peer.Send(outgoing)) return;
        }
        transport.Lose(outgoing, counted: false);
    }

    private WireWriter Encode(RemoteActorRef recipient, object message, IActorRef sender)
    {
        var serializer = transport.System.Serialization.FindSerializerFor(message);
        string manifest = Serialization.Serialization.ManifestFor(serializer, message);
        byte[] payload = serializer.ToBinary(message);
        return Frames.Begin(FrameKind.Message).Text(recipient.PathUtf8).Text(SenderUtf8(sender))
            .I32(serializer.Identifier).Text(manifest).Raw(payload).Seal();
    }

    private byte[] SenderUtf8(IActorRef sender) => sender switch
    {
        null => [],
        RemoteActorRef remote => remote.PathUtf8,
        _ when ReferenceEquals(sender, transport.System.DeadLetters) => [],
        _ => _senders.GetValue(sender, actor => Encoding.UTF8.GetBytes(transport.PathText(actor))),
    };
}
