using Troupe.Actors.Protocols;

namespace Troupe.Actors.Scheduling;

/// <summary>
/// How long the metadata round of a step takes: from a scheduler's offer over the router to the arrival of the plan at the rank beside the
/// scheduler. Both ends are in one process and read one clock; they are two actors, so this is the one thing that they share. Only plans
/// that waited for nothing but this offer count: the others tell how late somebody else was.
/// </summary>
/// <param name="clock">What is read.</param>
/// <param name="lanes">Lanes of the epoch.</param>
public sealed class RoundClock(TimeProvider clock, int lanes)
{
    /// <summary>Rounds that the median is taken of.</summary>
    public const int Kept = 1024;

    private readonly Lock _gate = new();
    private readonly (long Version, long At)[] _offers = new (long, long)[lanes];
    private readonly double[] _rounds = new double[Kept];
    private long _count;

    /// <summary>Microseconds, the median; null before any round.</summary>
    public double? MedianUs
    {
        get
        {
            lock (_gate)
            {
                int kept = (int)Math.Min(_count, Kept);
                return kept == 0 ? null : _rounds[..kept].Order().ElementAt(kept / 2);
            }
        }
    }

    /// <summary>An offer of a lane is about to go to the router, with this batch version.</summary>
    public void Offered(int lane, long version)
    {
        lock (_gate) _offers[lane] = (version, clock.GetTimestamp());
    }

    /// <summary>A plan came to the rank of this replica.</summary>
    public void Planned(StepPlan plan, int replica)
    {
        if (plan.AskedBy != replica || replica >= plan.Shares.Count || plan.Lane >= lanes) return;
        lock (_gate)
        {
            if (_offers[plan.Lane] is not { Version: > 0 } offer || offer.Version != plan.Shares[replica].Version) return;
            _rounds[_count++ % Kept] = clock.GetElapsedTime(offer.At).TotalMicroseconds;
            _offers[plan.Lane] = default;
        }
    }
}
