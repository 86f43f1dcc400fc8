using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Remote;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

/// <summary>A peer made of one socket, which says just what the test wants, well-formed or not.</summary>
internal sealed class Stranger : IDisposable
{
    public static readonly Address Address = new("akka.tcp", "stranger", "127.0.0.1", 1);

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);
    private byte[] _read = [];

    public static async Task<Stranger> Connect(RemoteNode node)
    {
        var stranger = new Stranger();
        await stranger._socket.ConnectAsync(IPAddress.Loopback, node.Address.Port.Value);
        return stranger;
    }

    /// <summary>Connected, and past the handshake.</summary>
    public static async Task<Stranger> ShakeHands(RemoteNode node, int uid = 5)
    {
        var stranger = await Connect(node);
        await stranger.Send(HelloTo(node, uid));
        var (kind, body) = await stranger.NextFrame();
        Assert.Equal((FrameKind.Hello, node.Address), (kind, Frames.ReadHello(body).From));
        return stranger;
    }

    public static byte[] HelloTo(RemoteNode node, int uid = 5) => Frames.Hello(new Hello(Address, uid, node.Address)).ToArray();

    public static byte[] Message(string recipient, int serializer, string manifest, ReadOnlySpan<byte> payload) =>
        Frames.Begin(FrameKind.Message).Text(recipient).Text("").I32(serializer).Text(manifest).Raw(payload).Seal().ToArray();

    public Task Send(byte[] bytes) => _socket.SendAsync(bytes);

    public Task Send(WireWriter frame) => Send(frame.ToArray());

    /// <summary>The next frame that is no heartbeat.</summary>
    public async Task<(FrameKind Kind, byte[] Body)> NextFrame()
    {
        while (true)
        {
            var frame = Frames.Next(_read, int.MaxValue - 4).ToArray();
            if (frame.Length > 0)
            {
                _read = _read[(4 + frame.Length)..];
                if ((FrameKind)frame[0] != FrameKind.Heartbeat) return ((FrameKind)frame[0], frame[1..]);
                continue;
            }
            byte[] more = new byte[64 * 1024];
            int received = await Receive(more);
            if (received == 0) throw new EndOfStreamException("the node closed the connection");
            _read = [.. _read, .. more[..received]];
        }
    }

    /// <summary>How many bytes came before the other side closed.</summary>
    public async Task<int> ReadToEnd()
    {
        int total = 0;
        while (await Receive(new byte[4096]) is var received and > 0) total += received;
        return total;
    }

    public void Dispose() => _socket.Dispose();

    private async Task<int> Receive(byte[] buffer)
    {
        using var deadline = new CancellationTokenSource(RemoteNode.Deadline);
        try
        {
            return await _socket.ReceiveAsync(buffer, deadline.Token);
        }
        catch (SocketException)
        {
            // A reset: it closed with our bytes unread.
            return 0;
        }
    }
}
