using System.Buffers.Binary;
using Akka.Actor;

namespace Akka.Remote;

/// <summary>What a frame is. On the wire: 4 bytes length of what follows, 1 byte kind, body; all little-endian.</summary>
internal enum FrameKind : byte
{
    /// <summary>First in each direction: magic, version, sender's uid and address, the address it wants to reach.</summary>
    Hello = 1,

    /// <summary>Recipient, sender, serializer id, manifest, payload to the end.</summary>
    Message = 2,

    /// <summary>Watcher, watchee. The watchee is the receiver's, the watcher the sender's.</summary>
    Watch = 3,

    /// <summary>As <see cref="Watch"/>, taken back.</summary>
    Unwatch = 4,

    /// <summary>Watcher (the receiver's), watchee (the sender's), 1 if the watchee had existed.</summary>
    Stopped = 5,

    /// <summary>Asks for a <see cref="HeartbeatReply"/>.</summary>
    Heartbeat = 6,
    HeartbeatReply = 7,

    /// <summary>The last one: 1 if the receiver is quarantined, and why.</summary>
    Goodbye = 8,
}

/// <summary>The handshake of one side.</summary>
internal sealed record Hello(Address From, int Uid, Address To);

/// <summary>Builds and reads frames. Limits in bytes; beyond one the frame is an error.</summary>
internal static class Frames
{
    public const int Magic = 0x50525254; // "TRRP"
    public const int Version = 2;
    public const int HeaderBytes = 5, MaxPathBytes = 2048, MaxManifestBytes = 512, MaxAddressBytes = 512, MaxReasonBytes = 512;

    /// <summary>What a handshake frame may be at most, whatever maximum-frame-size says.</summary>
    public const int MaxHelloBytes = 2 * MaxAddressBytes + 32;

    public static WireWriter Begin(FrameKind kind) => new WireWriter().I32(0).U8((byte)kind);

    /// <summary>Writes the length once the body is complete.</summary>
    public static WireWriter Seal(this WireWriter frame)
    {
        frame.PatchI32(0, frame.Length - 4);
        return frame;
    }

    public static WireWriter Hello(Hello hello) => Begin(FrameKind.Hello).I32(Magic).U16(Version).I32(hello.Uid)
        .Text(hello.From.ToString()).Text(hello.To?.ToString()).Seal();

    public static Hello ReadHello(ReadOnlySpan<byte> body)
    {
        var reader = new WireReader(body);
        int magic = reader.I32();
        if (magic != Magic) throw new WireException($"a handshake must begin with {Magic:x8}, got {magic:x8}: not a node of this system?");
        int version = reader.U16();
        if (version != Version)
            throw new WireException($"the protocol version must be {Version}, got {version}; run the same build on all nodes");
        int uid = reader.I32();
        string from = reader.Text(MaxAddressBytes), to = reader.Text(MaxAddressBytes);
        reader.End();
        if (!Address.TryParse(from, out var sender) || sender.Port is null or 0) throw new WireException($"the sender's address is {from}");
        return new Hello(sender, uid, Address.TryParse(to, out var target) ? target : null);
    }

    public static WireWriter Watching(FrameKind kind, string watcher, string watchee) =>
        Begin(kind).Text(watcher).Text(watchee).Seal();

    public static WireWriter Stopped(string watcher, string watchee, bool existed) =>
        Begin(FrameKind.Stopped).Text(watcher).Text(watchee).U8(existed ? (byte)1 : (byte)0).Seal();

    public static WireWriter Empty(FrameKind kind) => Begin(kind).Seal();

    public static WireWriter Goodbye(bool quarantined, string reason) => Begin(FrameKind.Goodbye).U8(quarantined ? (byte)1 : (byte)0)
        .Text(reason.Length > 200 ? reason[..200] : reason).Seal();

    /// <summary>
    /// The frame at the start of these bytes, without its length; empty if it is not complete yet. Errors: a length below 1 or
    /// above <paramref name="limit"/>.
    /// </summary>
    public static ReadOnlySpan<byte> Next(ReadOnlySpan<byte> bytes, int limit)
    {
        if (bytes.Length < 4) return default;
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        if (length < 1 || length > limit) throw new WireException($"a frame must be 1 to {limit} bytes, got {length}");
        return bytes.Length - 4 < length ? default : bytes.Slice(4, length);
    }
}
