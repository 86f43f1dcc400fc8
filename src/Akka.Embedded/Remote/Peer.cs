using System.Buffers;
using Akka.Actor;

namespace Akka.Remote;

/// <summary>A frame on its way; Message is null for frames that no actor sent.</summary>
internal readonly record struct Outgoing(WireWriter Frame, object Message, IActorRef Sender, IActorRef Recipient);

/// <summary>
/// All that we have with one address: its connections, and a bounded queue for when the socket does not take more. A frame is
/// written by the thread that sends it if nobody waits before it; else one pump writes what waits, many frames at a time.
/// Frames go out on one connection, so their order holds as long as it lives; the peer may use another one for its own.
/// </summary>
internal sealed class Peer(RemoteTransport transport, Address address)
{
    public const int MaxQueuedFrames = 20_000;
    public const long MaxQueuedBytes = 64 << 20;
    private const int BatchBytes = 64 * 1024;

    private readonly Lock _gate = new();
    private readonly Queue<Outgoing> _queue = new();
    private readonly List<Connection> _connections = [];
    private readonly List<int> _quarantined = [];
    private long _queuedBytes, _gatedUntilMs, _failureLoggedMs;
    private bool _pumping, _connecting, _retired;

    public Address Address => address;

    /// <summary>Of the incarnation that we spoke to last; 0 if none.</summary>
    public int Uid { get; private set; }

    public bool IsConnected
    {
        get
        {
            lock (_gate) return _connections.Count > 0;
        }
    }

    /// <summary>Nothing was lost by forgetting it; then it takes nothing more and a new one has to be made.</summary>
    public bool Retire(bool evenIfQuarantined)
    {
        lock (_gate)
        {
            return _retired |= _connections.Count == 0 && !_connecting && _queue.Count == 0 && !IsGated
                && (_quarantined.Count == 0 || evenIfQuarantined);
        }
    }

    public bool IsRetired => _retired;

    /// <summary>Messages become dead letters at once: it has just refused a connection, or said goodbye.</summary>
    public bool IsGated => _connections.Count == 0 && _gatedUntilMs > transport.NowMs;

    /// <summary>Lets the next message try to connect at once.</summary>
    public void Ungate()
    {
        lock (_gate) _gatedUntilMs = 0;
    }

    /// <summary>Whether a failure to connect is worth a line in the log: once in 10 s.</summary>
    public bool IsNews()
    {
        lock (_gate)
        {
            bool news = _failureLoggedMs == 0 || transport.NowMs - _failureLoggedMs >= 10_000;
            if (news) _failureLoggedMs = transport.NowMs;
            return news;
        }
    }

    /// <summary>Frames that still wait for the socket.</summary>
    public int Queued
    {
        get
        {
            lock (_gate) return _queue.Count + (_pumping ? 1 : 0);
        }
    }

    /// <summary>Sends, queues, or gives up a frame. False: this peer is retired, nothing was done.</summary>
    public bool Send(in Outgoing frame)
    {
        bool refused = false, connect = false;
        List<Outgoing> dropped = null;
        lock (_gate)
        {
            if (_retired) return false;
            if (_connections.Count == 0)
            {
                refused = IsGated;
                connect = !refused && !_connecting;
                _connecting |= connect;
                // Watches are sent again on every new connection, and a heartbeat is worth nothing later.
                if (frame.Message is null) frame.Frame.Return();
                else if (!refused) dropped = Enqueue(frame);
            }
            else if (_pumping) dropped = Enqueue(frame);
            else Write(frame);
        }
        if (connect) _ = transport.ConnectAsync(this);
        if (refused && frame.Message is not null) transport.Lose(frame, counted: false);
        dropped?.ForEach(lost => transport.Lose(lost, counted: true));
        return true;
    }

    /// <summary>The handshake on a connection is done. Null: welcome; else why not.</summary>
    public string Established(Connection connection, int uid)
    {
        List<Connection> stale = [];
        bool restarted;
        lock (_gate)
        {
            if (_retired) return "a race with forgetting the peer; try again";
            restarted = Uid != 0 && uid != Uid;
            if (restarted) stale = [.. _connections];
            Uid = uid;
            _connecting &= connection.Inbound;
            _gatedUntilMs = 0;
            _connections.RemoveAll(stale.Contains);
            _connections.Add(connection);
            if (_connections.Count == 1) SendWatchesFirst();
        }
        stale.ForEach(old => old.Shutdown("a new incarnation of the peer connected"));
        if (restarted) transport.Watches.WatchersGone(address);
        return null;
    }

    /// <summary>A connection that was established is gone. True: it was the last one.</summary>
    public bool Closed(Connection connection)
    {
        bool last, again;
        lock (_gate)
        {
            if (!_connections.Remove(connection)) return false;
            last = _connections.Count == 0;
            again = last && _queue.Count > 0 && !_connecting;
            _connecting |= again;
            if (!last) StartPump(default, 0);
        }
        if (again) _ = transport.ConnectAsync(this);
        return last;
    }

    /// <summary>Our call failed: unless the peer called us meanwhile, it is gated and what waited is lost. True: gated.</summary>
    public bool ConnectFailed()
    {
        lock (_gate)
        {
            _connecting = false;
            if (_connections.Count > 0) return false;
        }
        GateAndDrop();
        return true;
    }

    /// <summary>Never speaks to this incarnation again. False: that was so before.</summary>
    public bool Quarantine(int uid, string reason)
    {
        List<Connection> connections = [];
        lock (_gate)
        {
            if (_quarantined.Contains(uid)) return false;
            if (_quarantined.Count == 16) _quarantined.RemoveAt(0);
            _quarantined.Add(uid);
            if (Uid == uid)
            {
                connections = [.. _connections];
                if (!_pumping && connections.Count > 0) Write(new Outgoing(Frames.Goodbye(true, reason), null, null, null));
                _connections.Clear();
            }
        }
        connections.ForEach(connection => connection.Shutdown(reason));
        if (connections.Count > 0) GateAndDrop();
        return true;
    }

    /// <summary>Closes the connections; the next one begins anew.</summary>
    public void Disconnect(string reason)
    {
        lock (_gate) _connections.ForEach(connection => connection.Shutdown(reason));
    }

    /// <summary>Says goodbye and closes everything.</summary>
    public void Close(string reason)
    {
        lock (_gate)
        {
            _retired = true;
            if (_connections.Count > 0 && !_pumping) Write(new Outgoing(Frames.Goodbye(false, reason), null, null, null));
            _connections.ForEach(connection => connection.Shutdown(reason));
        }
    }

    /// <summary>We never speak to this incarnation again.</summary>
    public bool IsQuarantined(int uid)
    {
        lock (_gate) return _quarantined.Contains(uid);
    }

    /// <summary>For a while no call is tried; what waits, and what comes meanwhile, is lost.</summary>
    public void GateAndDrop()
    {
        Outgoing[] lost;
        lock (_gate)
        {
            _gatedUntilMs = transport.NowMs + (long)transport.Settings.GateClosedFor.TotalMilliseconds;
            lost = [.. _queue];
            _queue.Clear();
            _queuedBytes = 0;
        }
        foreach (var frame in lost) transport.Lose(frame, counted: false);
    }

    private void Write(in Outgoing outgoing)
    {
        int sent = _connections[0].TrySend(outgoing.Frame.Written.Span);
        if (sent >= 0 && sent < outgoing.Frame.Length) StartPump(outgoing, sent);
        else outgoing.Frame.Return();
    }

    private List<Outgoing> Enqueue(in Outgoing outgoing)
    {
        _queue.Enqueue(outgoing);
        _queuedBytes += outgoing.Frame.Length;
        List<Outgoing> dropped = null;
        while (_queue.Count > MaxQueuedFrames || _queuedBytes > MaxQueuedBytes)
        {
            var oldest = Dequeue();
            (dropped ??= []).Add(oldest);
            // A lost notice of a death is healed by the watches that a new connection begins with.
            if (oldest.Message is null && _connections.Count > 0) _connections[0].Shutdown("the queue of this peer is full");
        }
        return dropped;
    }

    private Outgoing Dequeue()
    {
        var outgoing = _queue.Dequeue();
        _queuedBytes -= outgoing.Frame.Length;
        return outgoing;
    }

    private void SendWatchesFirst()
    {
        Outgoing[] waiting = [.. _queue];
        _queue.Clear();
        foreach (var watch in transport.Watches.FramesFor(address)) _queue.Enqueue(new Outgoing(watch, null, null, null));
        foreach (var frame in waiting) _queue.Enqueue(frame);
        _queuedBytes = _queue.Sum(frame => (long)frame.Frame.Length);
        StartPump(default, 0);
    }

    /// <summary>Under the lock: hands the socket to a pump, which first writes the rest of this frame.</summary>
    private void StartPump(Outgoing first, int sent)
    {
        if (_pumping || _connections.Count == 0 || (first.Frame is null && _queue.Count == 0)) return;
        _pumping = true;
        var connection = _connections[0];
        _ = Task.Run(() => PumpAsync(connection, first.Frame, sent));
    }

    private async Task PumpAsync(Connection connection, WireWriter first, int sent)
    {
        byte[] batch = ArrayPool<byte>.Shared.Rent(BatchBytes);
        try
        {
            if (first is not null) await connection.SendAllAsync(first.Written[sent..]);
            while (TakeBatch(connection, ref batch) is var length and > 0) await connection.SendAllAsync(batch.AsMemory(0, length));
        }
        catch (Exception e) when (e is System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            connection.Shutdown(e.Message);
            lock (_gate) _pumping = false;
        }
        first?.Return();
        ArrayPool<byte>.Shared.Return(batch);
        lock (_gate)
        {
            if (_connections.Count > 0 && _connections[0] != connection) StartPump(default, 0);
        }
    }

    private int TakeBatch(Connection connection, ref byte[] batch)
    {
        lock (_gate)
        {
            int length = 0;
            bool mine = _connections.Count > 0 && _connections[0] == connection;
            while (mine && _queue.TryPeek(out var next) && (length == 0 || length + next.Frame.Length <= batch.Length))
            {
                if (next.Frame.Length > batch.Length)
                {
                    ArrayPool<byte>.Shared.Return(batch);
                    batch = ArrayPool<byte>.Shared.Rent(next.Frame.Length);
                }
                next.Frame.Written.Span.CopyTo(batch.AsSpan(length));
                length += next.Frame.Length;
                Dequeue();
                next.Frame.Return();
            }
            _pumping = length > 0;
            return length;
        }
    }
}
