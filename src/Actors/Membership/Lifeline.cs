using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Troupe.Actors.Membership;

/// <summary>
/// The control node's end of every lifeline: one TCP connection per node and per client. The kernel closes it when a process dies, however
/// it dies, so both sides learn of the other's death within milliseconds, long before a failure detector would. A process that is stopped
/// keeps its connection but says nothing on it: nodes say a byte a second, and one that is silent for too long is lost as well.
/// </summary>
public sealed class LifelineServer : IDisposable
{
    /// <summary>The most connections held; nodes and clients together.</summary>
    public const int MaxConnections = 4096;

    private static readonly TimeSpan HandshakeDeadline = TimeSpan.FromSeconds(5);
    private readonly TcpListener _listener;
    private readonly ConcurrentDictionary<string, Expected> _tokens = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _heard = new(StringComparer.Ordinal); // when, of each that is open
    private readonly CancellationTokenSource _stop = new();
    private readonly Action<string, bool> _lost;
    private int _open;

    /// <summary>
    /// Listens; <paramref name="lost"/> is called with the token of each connection that ends, and whether it only fell silent.
    /// </summary>
    /// <exception cref="SocketException">The port is taken or the host is not ours.</exception>
    public LifelineServer(string host, int port, Action<string, bool> lost)
    {
        _lost = lost;
        _listener = new TcpListener(IPAddress.TryParse(host, out IPAddress? address) ? address : Dns.GetHostAddresses(host)[0], port);
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>The port in use.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>
    /// Lets one connection in: the one that will say this token. Saying it twice changes nothing. At most <see cref="MaxConnections"/> are
    /// expected. With a <paramref name="silence"/> the connection is lost when nothing was heard on it for that long.
    /// </summary>
    public void Expect(string token, TimeSpan? silence = null)
    {
        if (_tokens.Count < MaxConnections) _tokens.TryAdd(token, new Expected(silence ?? Timeout.InfiniteTimeSpan, null));
    }

    /// <summary>Of these connections the one that was heard longest ago, if that is at least so long; null if none is.</summary>
    public string? Quietest(IEnumerable<string> tokens, TimeSpan least)
    {
        string? quietest = null;
        long since = long.MaxValue;
        foreach (string token in tokens)
            if (_heard.TryGetValue(token, out long heard) && heard < since) (quietest, since) = (token, heard);
        return quietest is not null && Stopwatch.GetElapsedTime(since) >= least ? quietest : null;
    }

    /// <summary>Ends a connection, without reporting it.</summary>
    public void Forget(string token)
    {
        if (_tokens.TryRemove(token, out Expected? expected)) expected.Connection?.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The source is not disposed: connections that end at this moment still ask it whether anybody wants to know.
        _stop.Cancel();
        _listener.Stop();
        foreach (string token in _tokens.Keys) Forget(token);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                TcpClient connection = await _listener.AcceptTcpClientAsync(_stop.Token);
                if (Interlocked.Increment(ref _open) > MaxConnections)
                {
                    Interlocked.Decrement(ref _open);
                    connection.Dispose();
                    continue;
                }
                _ = HoldAsync(connection);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The server was disposed: the only way out of the loop.
        }
    }

    private async Task HoldAsync(TcpClient connection)
    {
        string? token = null;
        bool silent = false;
        try
        {
            Lifeline.KeepAlive(connection.Client);
            (token, TimeSpan silence) = await ReadTokenAsync(connection);
            if (token is not null) silent = await ListenAsync(connection, token, silence);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The connection ended; which is what we are here to notice.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
            connection.Dispose();
            if (token is not null) _heard.TryRemove(token, out _);
            if (token is not null && _tokens.TryRemove(token, out _) && !_stop.IsCancellationRequested) _lost(token, silent);
        }
    }

    /// <summary>Listens until the connection ends.</summary>
    /// <returns>True if it did not end but was silent for too long.</returns>
    private async Task<bool> ListenAsync(TcpClient connection, string token, TimeSpan silence)
    {
        byte[] beats = new byte[64];
        while (true)
        {
            _heard[token] = Stopwatch.GetTimestamp();
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            patience.CancelAfter(silence);
            try
            {
                if (await connection.GetStream().ReadAsync(beats, patience.Token) == 0) return false;
            }
            catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
            {
                // Where this process itself was held up, what came in the meantime lies in the socket.
                if (connection.Client.Available == 0) return true;
            }
        }
    }

    private async Task<(string? Token, TimeSpan Silence)> ReadTokenAsync(TcpClient connection)
    {
        byte[] said = new byte[Lifeline.TokenLength];
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        deadline.CancelAfter(HandshakeDeadline);
        await connection.GetStream().ReadExactlyAsync(said, deadline.Token);
        string token = Encoding.ASCII.GetString(said);
        bool taken = _tokens.TryGetValue(token, out Expected? expected) && expected.Connection is null
            && _tokens.TryUpdate(token, expected with { Connection = connection }, expected);
        return taken ? (token, expected!.Silence) : (null, default);
    }

    private sealed record Expected(TimeSpan Silence, TcpClient? Connection);
}

/// <summary>A node's or client's end of its lifeline.</summary>
public sealed class Lifeline : IDisposable
{
    /// <summary>Characters of a token: 128 bits in hex.</summary>
    public const int TokenLength = 32;

    /// <summary>How often it says that its process is alive.</summary>
    public static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    private readonly TcpClient _connection;
    private readonly Timer _beats;
    private volatile bool _disposed;

    private Lifeline(TcpClient connection)
    {
        _connection = connection;
        _beats = new Timer(_ => Say(), null, Beat, Beat);
    }

    /// <summary>Connects and says the token; <paramref name="lost"/> is called once when the control node is gone.</summary>
    public static async Task<Lifeline> ConnectAsync(string host, int port, string token, Action lost, CancellationToken cancel)
    {
        var connection = new TcpClient();
        try
        {
            await connection.ConnectAsync(host, port, cancel);
            KeepAlive(connection.Client);
            await connection.GetStream().WriteAsync(Encoding.ASCII.GetBytes(token), cancel);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
        var lifeline = new Lifeline(connection);
        _ = lifeline.WatchAsync(lost);
        return lifeline;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _beats.Dispose();
        _connection.Dispose();
    }

    internal static void KeepAlive(Socket socket)
    {
        // A host that vanishes closes nothing; five seconds of unanswered probes do.
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 2);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    private void Say()
    {
        try
        {
            // A byte a second fills no socket's buffer before the other end is given up.
            _connection.Client.Send([0]);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The reading side notices.
        }
    }

    private async Task WatchAsync(Action lost)
    {
        try
        {
            _ = await _connection.GetStream().ReadAsync(new byte[1]);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // Ended with an error instead of an end of stream: the same to us.
        }
        _beats.Dispose();
        if (!_disposed) lost();
    }
}
