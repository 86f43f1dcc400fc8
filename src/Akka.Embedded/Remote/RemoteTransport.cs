using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;

namespace Akka.Remote;

/// <summary>
/// Listens, connects, and keeps one <see cref="Peer"/> per address. Every limit here is a constant of this class, of Frames and
/// Peer, or a key of RemoteSettings; a peer that passes one loses its connection, nobody else's.
/// </summary>
internal sealed class RemoteTransport
{
    private const int MaxPeers = 4096, MaxInboundConnections = 1024;

    private readonly ConcurrentDictionary<Address, Peer> _peers = new();
    private readonly ConcurrentDictionary<Connection, bool> _connections = new();
    private readonly Cancelable _housekeeping;
    private Socket _listener;
    private long _lost, _lostLoggedMs;
    private volatile bool _stopping;

    public RemoteTransport(ActorSystemImpl system)
    {
        System = system;
        Settings = RemoteSettings.From(system.Settings.Config);
        Watches = new RemoteWatches(this);
        _housekeeping = new Cancelable(system.Scheduler);
    }

    public ActorSystemImpl System { get; }
    public RemoteSettings Settings { get; }
    public RemoteWatches Watches { get; }
    public Address LocalAddress { get; private set; }
    public ILoggingAdapter Log { get; private set; }

    /// <summary>Names this incarnation of the system; never 0.</summary>
    public int Uid { get; } = RandomNumberGenerator.GetInt32(1, int.MaxValue);

    public long NowMs => Environment.TickCount64;

    /// <summary>Peers that the cluster watches over, so that remote death watch need not. Set by the cluster.</summary>
    public Predicate<Address> IsMember { get; set; } = _ => false;

    /// <summary>Those who want to know which peers are alive.</summary>
    public ConcurrentBag<HeartbeatMonitor> Monitors { get; } = [];

    /// <summary>Sends what actors tell.</summary>
    public Outbox Outbox { get; private set; }

    /// <summary>Frames that were thrown away: full queues, unknown recipients, payloads that nobody could read.</summary>
    public long Lost => Volatile.Read(ref _lost);

    public Address Start()
    {
        Log = Logging.GetLogger(System, "remoting");
        try
        {
            var ip = Settings.Hostname.Length == 0 ? IPAddress.Any : Resolve(Dns.GetHostAddresses(Settings.Hostname));
            _listener = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(ip, Settings.Port));
            _listener.Listen(256);
        }
        catch (SocketException e)
        {
            throw new AggregateException($"cannot listen on {Settings.Hostname}:{Settings.Port} ({e.Message}); is the port taken?", e);
        }
        int port = ((IPEndPoint)_listener.LocalEndPoint).Port;
        string host = Settings.PublicHostname.Length > 0 ? Settings.PublicHostname
            : Settings.Hostname.Length > 0 ? Settings.Hostname : "0.0.0.0";
        LocalAddress = new Address("akka.tcp", System.Name, host, Settings.PublicPort > 0 ? Settings.PublicPort : port);
        Outbox = new Outbox(this);
        Watches.Start();
        _ = AcceptAsync();
        var interval = TimeSpan.FromMilliseconds(Math.Clamp(Settings.WatchDetector.IntervalMs, 50, 1000));
        System.Scheduler.Advanced.ScheduleRepeatedly(interval, interval, KeepHouse, _housekeeping);
        Log.Info("Remoting listens on {0}", LocalAddress);
        return LocalAddress;
    }

    public IActorRef RefFor(ActorPath path) => new RemoteActorRef(this, path);

    /// <summary>The full path of an actor, with its uid, as a peer can use it.</summary>
    public string PathText(IActorRef actor) => actor is RemoteActorRef remote
        ? remote.PathText : actor.Path.ToSerializationFormatWithAddress(LocalAddress);

    /// <summary>The peer at that address; null if it is our own, or if there are too many.</summary>
    public Peer PeerFor(Address address)
    {
        if (_peers.TryGetValue(address, out var peer) && !peer.IsRetired) return peer;
        if (address == LocalAddress || address.Port is null || _peers.Count >= MaxPeers || _stopping) return null;
        return _peers.AddOrUpdate(address, at => new Peer(this, at), (at, old) => old.IsRetired ? new Peer(this, at) : old);
    }

    /// <summary>Another incarnation than this one answers at that address.</summary>
    public bool IsOtherIncarnation(Address address, int uid) => PeerFor(address) is { Uid: not 0 and var known } && known != uid;

    /// <summary>Calls a peer. It ends in Peer.Established or Peer.ConnectFailed.</summary>
    public async Task ConnectAsync(Peer peer)
    {
        try
        {
            using var deadline = new CancellationTokenSource(Settings.ConnectionTimeout);
            var ip = Resolve(await Dns.GetHostAddressesAsync(peer.Address.Host, deadline.Token));
            var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            Run(new Connection(this, socket, peer), new IPEndPoint(ip, peer.Address.Port.Value));
        }
        catch (Exception e)
        {
            // Whatever it was, the peer must hear of it: it waits for this call and tries no other meanwhile.
            Failed(peer, e is OperationCanceledException ? new TimeoutException($"no address within {Settings.ConnectionTimeout}") : e);
        }
    }

    /// <summary>The first frame to a peer.</summary>
    public WireWriter HelloTo(Peer peer) => Frames.Hello(new Hello(LocalAddress, Uid, peer.Address));

    /// <summary>One frame of a connection, on its reader's thread.</summary>
    public void Handle(Connection connection, FrameKind kind, ReadOnlySpan<byte> body)
    {
        if (kind == FrameKind.Goodbye)
        {
            var reader = new WireReader(body);
            var from = connection.Peer ?? connection.Wanted;
            bool quarantined = reader.U8() == 1;
            string reason = reader.Text(Frames.MaxReasonBytes);
            if (quarantined && from is not null)
                System.EventStream.Publish(new ThisActorSystemQuarantinedEvent(LocalAddress, from.Address));
            connection.Shutdown($"the peer said goodbye: {reason}");
        }
        else if (connection.Peer is not null) connection.Inbox.Handle(connection.Peer, kind, body);
        else if (kind == FrameKind.Hello) Welcome(connection, Frames.ReadHello(body));
        else throw new WireException($"a handshake must come first, got {kind}");
    }

    /// <summary>The reader of a connection ended.</summary>
    public void Closed(Connection connection, string reason)
    {
        _connections.TryRemove(connection, out _);
        if (connection.Peer is null)
        {
            if (connection.Wanted is not null) Failed(connection.Wanted, new IOException(reason));
            else if (!_stopping) Log.Warning("Connection from {0} closed before its handshake: {1}", connection.Remote, reason);
            return;
        }
        bool last = connection.Peer.Closed(connection);
        if (_stopping) return;
        Log.Info("Connection {0} {1} closed: {2}", connection.Inbound ? "from" : "to", connection.Remote, reason);
        if (last) System.EventStream.Publish(new DisassociatedEvent(LocalAddress, connection.Peer.Address, connection.Inbound));
    }

    /// <summary>A frame that will not be sent: its message is a dead letter. Counted ones are logged, at most every 10 s.</summary>
    public void Lose(in Outgoing frame, bool counted)
    {
        frame.Frame.Return();
        if (frame.Message is not null) System.PublishDeadLetter(frame.Message, frame.Sender, frame.Recipient);
        if (counted) CountLost($"the queue for {frame.Recipient?.Path.Address} is full");
    }

    /// <summary>Counts something thrown away; logs at most every 10 s, so that a flood of them is not a flood of lines.</summary>
    public void CountLost(string why)
    {
        long count = Interlocked.Increment(ref _lost), last = Volatile.Read(ref _lostLoggedMs);
        if (NowMs - last < 10_000 && last != 0) return;
        if (Interlocked.CompareExchange(ref _lostLoggedMs, NowMs, last) == last)
            Log.Warning("{0} frames were dropped so far; now: {1}", count, why);
    }

    /// <summary>One incarnation of a peer is gone. What a later one watches stays, and it answers our watches over the old one.</summary>
    public void IncarnationGone(Address address, int uid)
    {
        if (!IsOtherIncarnation(address, uid)) Watches.AddressTerminated(address);
    }

    /// <summary>Ends all that we have with one incarnation of a peer: its watches, its connections, for ever.</summary>
    public void Quarantine(Address address, int uid, string reason)
    {
        if (uid != 0 && PeerFor(address)?.Quarantine(uid, reason) == true)
        {
            Log.Warning("{0} with uid {1} is quarantined: {2}", address, uid, reason);
            System.EventStream.Publish(new QuarantinedEvent(address, uid));
        }
        IncarnationGone(address, uid);
    }

    public async Task StopAsync()
    {
        _stopping = true;
        _housekeeping.Cancel();
        long deadline = NowMs + (long)Settings.FlushWait.TotalMilliseconds;
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (NowMs < deadline && _peers.Values.Any(peer => peer.IsConnected && peer.Queued > 0)) await tick.WaitForNextTickAsync();
        _listener.Dispose();
        foreach (var peer in _peers.Values) peer.Close("shutdown");
        foreach (var connection in _connections.Keys) connection.Shutdown("shutdown");
    }

    private static IPAddress Resolve(IPAddress[] found) =>
        found.FirstOrDefault(ip => ip.AddressFamily == AddressFamily.InterNetwork) ?? found.FirstOrDefault()
        ?? throw new SocketException((int)SocketError.HostNotFound);

    private async Task AcceptAsync()
    {
        while (!_stopping)
        {
            try
            {
                var socket = await _listener.AcceptAsync();
                if (_connections.Count < MaxInboundConnections) Run(new Connection(this, socket, null), null);
                else socket.Dispose();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                if (_stopping) return;
                Log.Warning("Accepting a connection failed, trying again in a second: {0}", e.Message);
                using var pause = new PeriodicTimer(TimeSpan.FromSeconds(1));
                await pause.WaitForNextTickAsync();
            }
        }
    }

    private void Run(Connection connection, IPEndPoint to)
    {
        _connections[connection] = true;
        connection.Start(to);
    }

    private void Welcome(Connection connection, Hello hello)
    {
        if (Refusal(connection, hello) is { } refusal)
        {
            connection.Say(Frames.Goodbye(refusal == Peer.Quarantined, refusal));
            throw new WireException($"refused {hello.From}: {refusal}");
        }
        foreach (var monitor in Monitors) monitor.Replied(hello.From);
        Log.Debug("Connection {0} {1} is ready", connection.Inbound ? "from" : "to", hello.From);
        System.EventStream.Publish(new AssociatedEvent(LocalAddress, hello.From, connection.Inbound));
    }

    /// <summary>Why that side is not welcome; null: it is, and the connection is its peer's now.</summary>
    private string Refusal(Connection connection, Hello hello)
    {
        if (hello.To != LocalAddress) return $"this is {LocalAddress}, not {hello.To}";
        if (connection.Wanted is { } wanted && hello.From != wanted.Address) return $"we called {wanted.Address}, not {hello.From}";
        while (PeerFor(hello.From) is { } peer)
        {
            // False: it was just being forgotten. The next one is new.
            if (peer.TryEstablish(connection, hello.Uid, out string refusal)) return refusal;
        }
        return "no room for another peer";
    }

    private void Failed(Peer peer, Exception cause)
    {
        if (!peer.ConnectFailed() || _stopping) return;
        System.EventStream.Publish(new AssociationErrorEvent(cause, LocalAddress, peer.Address, false));
        if (!peer.IsNews()) return;
        Log.Warning("No connection to {0}, its messages are dead letters for {1}: {2}",
            peer.Address, Settings.GateClosedFor, cause.Message);
    }

    private void KeepHouse()
    {
        long now = NowMs;
        foreach (var connection in _connections.Keys)
        {
            if (connection.PartialSinceMs is > 0 and var since && now - since > Settings.ConnectionTimeout.TotalMilliseconds)
                connection.Shutdown($"no complete frame within {Settings.ConnectionTimeout}");
        }
        Watches.Tick(now);
        foreach (var (address, peer) in _peers)
        {
            if (!Watches.Concern(address) && peer.Retire(evenIfQuarantined: _peers.Count > MaxPeers / 2)) _peers.TryRemove(address, out _);
        }
    }
}
