using Akka.Actor;

namespace Akka.Remote;

/// <summary>One actor that watches another; equal if both are.</summary>
internal readonly record struct WatchPair(InternalActorRef Watchee, InternalActorRef Watcher);

/// <summary>
/// Death watch across systems. Nothing is acknowledged: a new connection begins with all watches that go over it, and the watchee's
/// side answers at once for actors that are gone, so a notice lost with the old connection comes again.
/// </summary>
internal sealed class RemoteWatches(RemoteTransport transport)
{
    private const int MaxWatchesOfPeer = 100_000;
    private const string Silent = "no answer to heartbeats";

    private readonly Lock _gate = new();

    /// <summary>By the address of the watchee: ours watch theirs.</summary>
    private readonly Dictionary<Address, HashSet<WatchPair>> _ours = [];

    /// <summary>By the address of the watcher: theirs watch ours.</summary>
    private readonly Dictionary<Address, HashSet<WatchPair>> _theirs = [];

    private HeartbeatMonitor _monitor;
    private long _nextBeatMs;

    public void Start() => _monitor = new HeartbeatMonitor(
        transport, transport.Settings.WatchDetector, transport.Settings.WatchDetector.AcceptablePauseMs);

    /// <summary>An actor of ours watches, or unwatches, one of theirs.</summary>
    public void Ours(FrameKind kind, RemoteActorRef watchee, InternalActorRef watcher)
    {
        var address = watchee.Path.Address;
        if (!Change(_ours, address, new WatchPair(watchee, watcher), kind == FrameKind.Watch)) return;
        var peer = transport.PeerFor(address);
        peer?.Send(new Outgoing(Frames.Watching(kind, transport.PathText(watcher), watchee.PathText), null, null, null));
    }

    /// <summary>One of theirs watches, or unwatches, one of ours.</summary>
    public void Theirs(Peer peer, FrameKind kind, InternalActorRef watchee, RemoteActorRef watcher)
    {
        if (watcher.Path.Address != peer.Address) throw new WireException($"{peer.Address} may not watch for {watcher.Path}");
        bool watch = kind == FrameKind.Watch;
        Change(_theirs, peer.Address, new WatchPair(watchee, watcher), watch);
        // Also when it was known: an actor that has stopped meanwhile answers again.
        watchee.SendSystemMessage(watch ? new Watch(watchee, watcher) : new Unwatch(watchee, watcher));
    }

    /// <summary>An actor of ours has stopped; their watcher is told.</summary>
    public void OursStopped(InternalActorRef watchee, RemoteActorRef watcher, bool existed)
    {
        var address = watcher.Path.Address;
        Change(_theirs, address, new WatchPair(watchee, watcher), add: false);
        transport.PeerFor(address)?.Send(
            new Outgoing(Frames.Stopped(watcher.PathText, transport.PathText(watchee), existed), null, null, null));
    }

    /// <summary>They say that an actor of theirs has stopped. Without a watch of ours it is not believed.</summary>
    public void TheirsStopped(Peer peer, RemoteActorRef watchee, InternalActorRef watcher, bool existed)
    {
        if (Change(_ours, peer.Address, new WatchPair(watchee, watcher), add: false))
            watcher.SendSystemMessage(new DeathWatchNotification(watchee, existed, false));
    }

    /// <summary>The Watch frames that a new connection to this address begins with.</summary>
    public List<WireWriter> FramesFor(Address address)
    {
        lock (_gate)
        {
            if (!_ours.TryGetValue(address, out var pairs)) return [];
            return [.. pairs.Select(pair => Frames.Watching(
                FrameKind.Watch, transport.PathText(pair.Watcher), transport.PathText(pair.Watchee)))];
        }
    }

    /// <summary>A watch goes over this address, in one direction or the other.</summary>
    public bool Concern(Address address)
    {
        lock (_gate) return _ours.ContainsKey(address) || _theirs.ContainsKey(address);
    }

    /// <summary>The system there is gone: all watches over it end.</summary>
    public void AddressTerminated(Address address)
    {
        HashSet<WatchPair> ours;
        lock (_gate) _ours.Remove(address, out ours);
        foreach (var (watchee, watcher) in ours ?? []) watcher.SendSystemMessage(new DeathWatchNotification(watchee, false, true));
        WatchersGone(address);
    }

    /// <summary>The watchers there are gone; nobody needs to tell them anything.</summary>
    public void WatchersGone(Address address)
    {
        HashSet<WatchPair> theirs;
        lock (_gate) _theirs.Remove(address, out theirs);
        foreach (var (watchee, watcher) in theirs ?? []) watchee.SendSystemMessage(new Unwatch(watchee, watcher));
    }

    /// <summary>Heartbeats to those whom we watch, and the verdict on those who do not answer.</summary>
    public void Tick(long now)
    {
        if (now < _nextBeatMs) return;
        _nextBeatMs = now + (long)transport.Settings.WatchDetector.IntervalMs - 10;
        Address[] watched, watching;
        lock (_gate) (watched, watching) = ([.. _ours.Keys], [.. _theirs.Keys]);
        // Watchers count too: without an answer their entries here would stay for ever.
        Address[] targets = [.. watched.Union(watching).Where(address => !transport.IsMember(address))];
        _monitor.Beat(targets);
        foreach (var address in targets)
        {
            // Whoever comes back while we decide is not whom the verdict is about.
            var peer = transport.PeerFor(address);
            var (uid, arrivals) = (peer?.Uid ?? 0, peer?.Arrivals ?? 0);
            if (_monitor.IsAvailable(address)) continue;
            // Only what was reported as dead must never speak again; a watcher that comes back begins with its watches.
            if (watched.Contains(address)) transport.Quarantine(address, uid, Silent);
            else if (peer is not null) peer.GiveUp(arrivals, Silent);
            else WatchersGone(address);
        }
    }

    private bool Change(Dictionary<Address, HashSet<WatchPair>> all, Address address, WatchPair pair, bool add)
    {
        lock (_gate)
        {
            if (!all.TryGetValue(address, out var pairs))
            {
                if (!add) return false;
                all[address] = pairs = [];
            }
            if (add && all == _theirs && pairs.Count >= MaxWatchesOfPeer)
                throw new WireException($"{address} watches {pairs.Count} actors already");
            bool changed = add ? pairs.Add(pair) : pairs.Remove(pair);
            if (pairs.Count == 0) all.Remove(address);
            return changed;
        }
    }
}
