using Akka.Actor;

namespace Akka.Remote;

/// <summary>
/// Tells which peers are alive. The transport answers heartbeats itself, so a busy actor system does not look dead; a process
/// that is stopped, hung up or cut off does.
/// </summary>
internal sealed class HeartbeatMonitor
{
    private readonly RemoteTransport _transport;
    private readonly FailureDetectorSettings _settings;
    private readonly double _patienceMs;
    private long _lastBeatMs;
    private bool _lateBeat;
    private readonly Dictionary<Address, PhiAccrualFailureDetector> _detectors = [];

    /// <param name="transport">Sends the heartbeats.</param>
    /// <param name="settings">Of the failure detector.</param>
    /// <param name="patienceMs">How long a peer may be silent to which no connection can be opened.</param>
    public HeartbeatMonitor(RemoteTransport transport, FailureDetectorSettings settings, double patienceMs)
    {
        (_transport, _settings, _patienceMs) = (transport, settings, patienceMs);
        transport.Monitors.Add(this);
    }

    /// <summary>Sends each of these a heartbeat, and forgets the others. To be called once per interval.</summary>
    public void Beat(IReadOnlyCollection<Address> targets)
    {
        lock (_detectors)
        {
            _lateBeat = IsLate(_transport.NowMs);
            _lastBeatMs = _transport.NowMs;
            foreach (var gone in _detectors.Keys.Where(known => !targets.Contains(known)).ToArray()) _detectors.Remove(gone);
            foreach (var target in targets) _detectors.TryAdd(target, new PhiAccrualFailureDetector(_settings, _transport.NowMs));
        }
        foreach (var target in targets) _transport.PeerFor(target)?.Send(new Outgoing(Frames.Empty(FrameKind.Heartbeat), null, null, null));
    }

    public void Replied(Address address)
    {
        lock (_detectors)
        {
            if (_detectors.TryGetValue(address, out var detector)) detector.Heartbeat(_transport.NowMs);
        }
    }

    /// <summary>
    /// Phi is low, and our patience is not at its end with a closed connection that cannot be opened again. No verdict while
    /// our own heartbeats come late: then it is us who were stopped or starved.
    /// </summary>
    public bool IsAvailable(Address address)
    {
        long now = _transport.NowMs;
        lock (_detectors)
        {
            if (!_detectors.TryGetValue(address, out var detector) || _lateBeat || IsLate(now)) return true;
            if (!detector.IsAvailable(now)) return false;
            return now - detector.LastMs <= _patienceMs || _transport.PeerFor(address) is not { IsConnected: false, IsGated: true };
        }
    }

    private bool IsLate(long now) => _lastBeatMs != 0 && now - _lastBeatMs > 3 * _settings.IntervalMs;
}
