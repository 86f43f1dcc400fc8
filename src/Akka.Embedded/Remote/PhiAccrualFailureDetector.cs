namespace Akka.Remote;

/// <summary>
/// How sure we are that a peer is gone, from the times between its heartbeats: phi = -log10(P(a later heartbeat)), with those times
/// taken as normally distributed (Hayashibara et al., The phi accrual failure detector, 2004; logistic approximation of the
/// normal's tail). Times in milliseconds of any monotonic clock.
/// </summary>
internal sealed class PhiAccrualFailureDetector
{
    private readonly FailureDetectorSettings _settings;
    private readonly Queue<double> _intervals = new();
    private double _sum, _squares;

    /// <summary>Starts as if it had seen heartbeats around the expected interval, the last one now.</summary>
    public PhiAccrualFailureDetector(FailureDetectorSettings settings, long now)
    {
        _settings = settings;
        LastMs = now;
        double spread = settings.IntervalMs / 4;
        Add(settings.IntervalMs - spread);
        Add(settings.IntervalMs + spread);
    }

    /// <summary>When the last heartbeat came.</summary>
    public long LastMs { get; private set; }

    public void Heartbeat(long now)
    {
        // A pause that was survived says nothing about the usual interval.
        if (IsAvailable(now)) Add(now - LastMs);
        LastMs = now;
    }

    public bool IsAvailable(long now) => Phi(now) < _settings.Threshold;

    /// <summary>0 right after a heartbeat, 8 at one wrong verdict in 10^8.</summary>
    public double Phi(long now)
    {
        double mean = _sum / _intervals.Count;
        double deviation = Math.Max(Math.Sqrt(Math.Max(0, _squares / _intervals.Count - mean * mean)), _settings.MinDeviationMs);
        double y = (now - LastMs - mean - _settings.AcceptablePauseMs) / deviation;
        double e = Math.Exp(-y * (1.5976 + 0.070566 * y * y));
        return y > 0 ? -Math.Log10(e / (1 + e)) : -Math.Log10(1 - 1 / (1 + e));
    }

    private void Add(double interval)
    {
        _intervals.Enqueue(interval);
        _sum += interval;
        _squares += interval * interval;
        if (_intervals.Count <= _settings.MaxSamples) return;
        double oldest = _intervals.Dequeue();
        _sum -= oldest;
        _squares -= oldest * oldest;
    }
}

/// <summary>Keys of watch-failure-detector and of cluster.failure-detector; times in milliseconds.</summary>
internal sealed record FailureDetectorSettings(
    double IntervalMs, double AcceptablePauseMs, double Threshold = 8, double MinDeviationMs = 100, int MaxSamples = 200);
