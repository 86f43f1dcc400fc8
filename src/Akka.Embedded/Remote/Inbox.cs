using Akka.Actor;
using Akka.Event;

namespace Akka.Remote;

/// <summary>From a frame to a message: one for each connection, on its reader's thread.</summary>
internal sealed class Inbox
{
    private const int MaxCached = 4096;

    private readonly RemoteTransport _transport;
    private readonly Utf8Cache<InternalActorRef> _actors;
    private readonly Utf8Cache<string> _manifests;

    public Inbox(RemoteTransport transport)
    {
        _transport = transport;
        _actors = new(MaxCached, Resolve, actor => actor is RemoteActorRef or LocalActorRef { Cell.IsTerminated: false });
        _manifests = new(MaxCached, text => text, _ => true);
    }

    /// <exception cref="WireException">The frame is malformed: the connection has to go.</exception>
    public void Handle(Peer peer, FrameKind kind, ReadOnlySpan<byte> body)
    {
        switch (kind)
        {
            case FrameKind.Message:
                Deliver(body);
                break;
            case FrameKind.Watch or FrameKind.Unwatch or FrameKind.Stopped:
                Watching(peer, kind, body);
                break;
            case FrameKind.Heartbeat:
                peer.Send(new Outgoing(Frames.Empty(FrameKind.HeartbeatReply), null, null, null));
                break;
            case FrameKind.HeartbeatReply:
                foreach (var monitor in _transport.Monitors) monitor.Replied(peer.Address);
                break;
            default:
                throw new WireException($"no frame of kind {(int)kind} is known after the handshake");
        }
    }

    private void Deliver(ReadOnlySpan<byte> body)
    {
        var reader = new WireReader(body);
        var recipient = Ours(reader.Utf8(Frames.MaxPathBytes));
        var senderPath = reader.Utf8(Frames.MaxPathBytes);
        int serializer = reader.I32();
        string manifest = _manifests.Get(reader.Utf8(Frames.MaxManifestBytes));
        if (recipient is null) return;
        var sender = senderPath.Length == 0 ? null : _actors.Get(senderPath);
        object message;
        try
        {
            message = _transport.System.Serialization.Deserialize(reader.Rest.ToArray(), serializer, manifest);
        }
        catch (Exception e)
        {
            // Any serializer may stand behind this; a payload that it cannot read costs that one message.
            _transport.Log.Warning("A message for {0} with serializer {1} and manifest [{2}] cannot be read and is dropped: {3}",
                recipient.Path, serializer, manifest, e.Message);
            return;
        }
        if (message is null) return;
        if (recipient is LocalActorRef local) local.Cell.Deliver(message, sender);
        else recipient.Tell(message, sender);
    }

    private void Watching(Peer peer, FrameKind kind, ReadOnlySpan<byte> body)
    {
        var reader = new WireReader(body);
        var watcher = _actors.Get(reader.Utf8(Frames.MaxPathBytes));
        var watchee = _actors.Get(reader.Utf8(Frames.MaxPathBytes));
        if (kind != FrameKind.Stopped)
        {
            if (watcher is RemoteActorRef theirs && watchee is not (null or RemoteActorRef))
                _transport.Watches.Theirs(peer, kind, watchee, theirs);
            else _transport.CountLost($"{peer.Address} wants {watcher?.Path} to watch {watchee?.Path}");
        }
        else if (watchee is RemoteActorRef theirs && watcher is not (null or RemoteActorRef))
            _transport.Watches.TheirsStopped(peer, theirs, watcher, reader.U8() == 1);
    }

    private InternalActorRef Ours(ReadOnlySpan<byte> path)
    {
        var actor = _actors.Get(path);
        if (actor is not (null or RemoteActorRef)) return actor;
        _transport.CountLost($"a message is for {actor?.Path.ToString() ?? "no path"}, not for an actor of {_transport.LocalAddress}");
        return null;
    }

    private InternalActorRef Resolve(string path) => ActorPath.TryParse(path, out var parsed)
        ? parsed.Address == _transport.LocalAddress || parsed.Address.Port is not null
            ? (InternalActorRef)_transport.System.Provider.ResolveActorRef(path) : null
        : null;
}
