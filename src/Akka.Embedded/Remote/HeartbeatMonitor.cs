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
    private readonly Dictionary<Address, PhiAccrualFailureDetector> _detectors = [];

    public HeartbeatMonitor(RemoteTransport transport, FailureDetectorSettings settings)
    {
        (_transport, _settings) = (transport, settings);
        transport.Monitors.Add(this);
    }

    /// <summary>Sends each of these a heartbeat, and forgets the others. To be called once per interval.</summary>
    public void Beat(IReadOnlyCollection<Address> targets)
    {
        lock (_detectors)
        {
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
    /// Phi is low, and it is not so that the connection is closed, cannot be opened again, and three heartbeats are missing.
    /// </summary>
    public bool IsAvailable(Address address)
    {
        long now = _transport.NowMs;
        lock (_detectors)
        {
            if (!_detectors.TryGetValue(address, out var detector)) return true;
            if (!detector.IsAvailable(now)) return false;
            double patience = Math.Min(_settings.AcceptablePauseMs, 3 * _settings.IntervalMs);
            return now - detector.LastMs <= patience || _transport.PeerFor(address) is not { IsConnected: false, IsGated: true };
        }
    }
}
