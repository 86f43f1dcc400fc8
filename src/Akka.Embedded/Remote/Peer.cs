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

    /// <summary>The refusal of an incarnation that was given up for ever.</summary>
    public const string Quarantined = "this incarnation is quarantined";

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

    /// <summary>How many connections were ever established: it grows when the peer comes back.</summary>
    public int Arrivals { get; private set; }

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

    /// <summary>Messages become dead letters at once: a connection to it was just refused or closed.</summary>
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
        bool lost = false, connect = false;
        List<Outgoing> dropped = null;
        lock (_gate)
        {
            if (_retired) return false;
            if (_connections.Count == 0)
            {
                bool gated = IsGated;
                connect = !gated && !_connecting;
                _connecting |= connect;
                // Watches are sent again on every new connection, and a heartbeat is worth nothing later.
                lost = gated || frame.Message is null;
                if (!lost) dropped = Enqueue(frame);
            }
            else if (_pumping) dropped = Enqueue(frame);
            else lost = !TryWrite(frame);
        }
        if (connect) _ = transport.ConnectAsync(this);
        if (lost) transport.Lose(frame, counted: false);
        dropped?.ForEach(old => transport.Lose(old, counted: true));
        return true;
    }

    /// <summary>
    /// The handshake on a connection is done: it is answered and used, unless there is a refusal. False: this peer is retired, nothing
    /// was done.
    /// </summary>
    public bool TryEstablish(Connection connection, int uid, out string refusal)
    {
        Connection[] stale = [];
        lock (_gate)
        {
            refusal = _quarantined.Contains(uid) ? Quarantined : null;
            if (_retired || refusal is not null) return !_retired;
            // Before anybody else may write.
            if (connection.Inbound) connection.Say(transport.HelloTo(this));
            if (Uid != 0 && uid != Uid)
            {
                stale = TakeConnections();
                transport.Watches.WatchersGone(address);
            }
            (Uid, connection.Peer) = (uid, this);
            Arrivals++;
            _connecting &= connection.Inbound;
            _gatedUntilMs = 0;
            _connections.Add(connection);
            if (_connections.Count == 1) SendWatchesFirst();
        }
        Shutdown(stale, "a new incarnation of the peer connected");
        return true;
    }

    /// <summary>A connection that was established is gone. True: there is no other, and the address is gated.</summary>
    public bool Closed(Connection connection)
    {
        Outgoing[] waiting = [];
        lock (_gate)
        {
            bool written = _connections.Count > 0 && _connections[0] == connection, used = _connections.Remove(connection);
            if (_connections.Count > 0)
            {
                // A watch may have been lost with it; the peer that came back so soon does not know.
                if (written) SendWatchesFirst();
                return false;
            }
            if (used) waiting = Gate();
        }
        Lose(waiting);
        return true;
    }

    /// <summary>Our call failed: unless the peer called us meanwhile, it is gated and what waited is lost. True: gated.</summary>
    public bool ConnectFailed()
    {
        Outgoing[] waiting;
        lock (_gate)
        {
            _connecting = false;
            if (_connections.Count > 0) return false;
            waiting = Gate();
        }
        Lose(waiting);
        return true;
    }

    /// <summary>Never speaks to this incarnation again. False: that was so before.</summary>
    public bool Quarantine(int uid, string reason)
    {
        Connection[] cut = [];
        Outgoing[] waiting = [];
        lock (_gate)
        {
            if (_quarantined.Contains(uid)) return false;
            if (_quarantined.Count == 16) _quarantined.RemoveAt(0);
            _quarantined.Add(uid);
            if (Uid == uid && _connections.Count > 0)
            {
                if (!_pumping) _connections[0].Say(Frames.Goodbye(true, reason));
                (cut, waiting) = (TakeConnections(), Gate());
            }
        }
        Shutdown(cut, reason);
        Lose(waiting);
        return true;
    }

    /// <summary>Forgets what the peer watches and closes its connections; not if it has come back since it had so many arrivals.</summary>
    public void GiveUp(int arrivals, string reason)
    {
        Connection[] cut;
        Outgoing[] waiting;
        lock (_gate)
        {
            if (Arrivals != arrivals) return;
            // Under the lock: what it watches over its next connection comes after this.
            transport.Watches.WatchersGone(address);
            (cut, waiting) = (TakeConnections(), Gate());
        }
        Shutdown(cut, reason);
        Lose(waiting);
    }

    /// <summary>Says goodbye and closes everything.</summary>
    public void Close(string reason)
    {
        lock (_gate)
        {
            _retired = true;
            if (_connections.Count > 0 && !_pumping) _connections[0].Say(Frames.Goodbye(false, reason));
            _connections.ForEach(connection => connection.Shutdown(reason));
        }
    }

    /// <summary>Under the lock: for a while no call is tried, and what comes is lost. Gives what waited: that is lost, too.</summary>
    private Outgoing[] Gate()
    {
        _gatedUntilMs = transport.NowMs + (long)transport.Settings.GateClosedFor.TotalMilliseconds;
        Outgoing[] waiting = [.. _queue];
        _queue.Clear();
        _queuedBytes = 0;
        return waiting;
    }

    private Connection[] TakeConnections()
    {
        Connection[] taken = [.. _connections];
        _connections.Clear();
        return taken;
    }

    private static void Shutdown(Connection[] connections, string reason)
    {
        foreach (var connection in connections) connection.Shutdown(reason);
    }

    private void Lose(Outgoing[] frames)
    {
        foreach (var frame in frames) transport.Lose(frame, counted: false);
    }

    /// <summary>Under the lock. False: the connection is broken, the frame is still the caller's.</summary>
    private bool TryWrite(in Outgoing outgoing)
    {
        int sent = _connections[0].TrySend(outgoing.Frame.Written.Span);
        if (sent < 0) return false;
        if (sent < outgoing.Frame.Length) StartPump(outgoing, sent);
        else outgoing.Frame.Return();
        return true;
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
