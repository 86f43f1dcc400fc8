using System.Net;
using System.Net.Sockets;

namespace Akka.Remote;

/// <summary>
/// One socket. Its reader runs until the socket closes, then tells the transport once. Anything that is not a well-formed frame
/// ends the connection.
/// </summary>
internal sealed class Connection
{
    private const int StackBytes = 256 * 1024;

    private readonly RemoteTransport _transport;
    private readonly Socket _socket;
    private byte[] _buffer = new byte[32 * 1024];
    private readonly string _endPoint;
    private string _failure;

    /// <param name="transport">Whose it is.</param>
    /// <param name="socket">Connected; the connection closes it.</param>
    /// <param name="wanted">The peer that we called; null when we were called.</param>
    public Connection(RemoteTransport transport, Socket socket, Peer wanted)
    {
        (_transport, _socket, Wanted) = (transport, socket, wanted);
        socket.NoDelay = true;
        socket.Blocking = false;
        PartialSinceMs = transport.NowMs;
        // Asked of a called one that has closed already, it would throw.
        if (wanted is null) _endPoint = socket.RemoteEndPoint?.ToString();
        Inbox = new Inbox(transport);
    }

    public Peer Wanted { get; }

    public bool Inbound => Wanted is null;

    /// <summary>Who is at the other end; null until the handshake is done.</summary>
    public Peer Peer { get; set; }

    public Inbox Inbox { get; }

    /// <summary>Since when a handshake or the rest of a frame is due; 0 if nothing is.</summary>
    public long PartialSinceMs { get; private set; }

    public string Remote => (Peer ?? Wanted)?.Address.ToString() ?? _endPoint;

    /// <summary>Writes as much as fits without waiting. -1: the connection is broken.</summary>
    public int TrySend(ReadOnlySpan<byte> bytes)
    {
        try
        {
            int sent = _socket.Send(bytes, SocketFlags.None, out var error);
            if (error == SocketError.Success) return sent;
            if (error == SocketError.WouldBlock) return 0;
            Shutdown(error.ToString());
        }
        catch (ObjectDisposedException)
        {
            // The reader noticed first.
        }
        return -1;
    }

    /// <summary>Sends a frame of the handshake, for which there is always room, or of the end, when it does not matter.</summary>
    public void Say(WireWriter frame)
    {
        TrySend(frame.Written.Span);
        frame.Return();
    }

    public async Task SendAllAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await _socket.SendAsync(bytes)..];
    }

    /// <summary>Ends both directions; the reader then sees the end and reports it with this reason, if it is the first.</summary>
    public void Shutdown(string reason)
    {
        Interlocked.CompareExchange(ref _failure, reason, null);
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is closed already, which is what we want.
        }
    }

    /// <summary>
    /// Reads frames until the end, on a thread of its own: a message is with its actor one wake-up after it came in, where an asynchronous
    /// read takes two (that of the socket engine, then that of a pool's thread).
    /// </summary>
    /// <param name="to">Where to call first; null if we were called.</param>
    public void Start(IPEndPoint to) =>
        new Thread(() => Run(to), StackBytes) { IsBackground = true, Name = $"remoting {Remote}" }.Start();

    private void Connect(IPEndPoint to)
    {
        var timeout = _transport.Settings.ConnectionTimeout;
        try
        {
            _socket.Connect(to);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // The usual case: the call is under way.
        }
        if (!_socket.Poll(timeout, SelectMode.SelectWrite)) throw new TimeoutException($"no connection within {timeout}");
        int error = (int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error);
        if (error != 0) throw new SocketException(error);
    }

    private void Run(IPEndPoint to)
    {
        ThreadSlice.Shorten();
        try
        {
            if (to is not null)
            {
                Connect(to);
                Say(_transport.HelloTo(Wanted));
            }
            Read();
        }
        catch (Exception e)
        {
            // Whatever a frame or a receiver's code led to, it costs this connection alone.
            Interlocked.CompareExchange(ref _failure, e.Message, null);
        }
        _socket.Dispose();
        _transport.Closed(this, _failure ?? "the peer closed the connection");
    }

    private void Read()
    {
        int start = 0, end = 0;
        while (true)
        {
            if (end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
            int received = Receive(_buffer.AsSpan(end));
            if (received == 0) return;
            end += received;
            start = Consume(start, end);
            if (Peer is not null && start == end) PartialSinceMs = 0;
            else if (Peer is not null && (start > 0 || PartialSinceMs == 0)) PartialSinceMs = _transport.NowMs;
            if (start == 0) continue;
            _buffer.AsSpan(start, end - start).CopyTo(_buffer);
            (start, end) = (0, end - start);
        }
    }

    /// <summary>Waits for bytes, however long; 0 at the end.</summary>
    private int Receive(Span<byte> into)
    {
        while (true)
        {
            _socket.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
            int received = _socket.Receive(into, SocketFlags.None, out var error);
            if (error == SocketError.Success) return received;
            if (error != SocketError.WouldBlock) throw new SocketException((int)error);
        }
    }

    private int Consume(int start, int end)
    {
        while (true)
        {
            int limit = Peer is null ? Frames.MaxHelloBytes : _transport.Settings.MaximumFrameSize;
            var frame = Frames.Next(_buffer.AsSpan(start, end - start), limit);
            if (frame.Length == 0) return start;
            _transport.Handle(this, (FrameKind)frame[0], frame[1..]);
            start += 4 + frame.Length;
        }
    }
}
