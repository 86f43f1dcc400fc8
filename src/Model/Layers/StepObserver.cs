using System.Diagnostics;
using Troupe.Devices.Fabric;

namespace Troupe.Model.Layers;

/// <summary>Is told where a step is, on the executor thread: for the rank's status word and for timings. Must be cheap.</summary>
public interface IStepObserver
{
    /// <summary>The step enters this point now.</summary>
    void At(StepPoint point);
}

/// <summary>Adds up the time between points by phase; passes each point on.</summary>
public sealed class StepTimings(IStepObserver? next = null) : IStepObserver
{
    private readonly long[] _ticks = new long[Enum.GetValues<StepPhase>().Length];
    private StepPhase _phase = StepPhase.Idle;
    private long _since = Stopwatch.GetTimestamp();

    /// <inheritdoc/>
    public void At(StepPoint point)
    {
        long now = Stopwatch.GetTimestamp();
        _ticks[(int)_phase] += now - _since;
        (_phase, _since) = (point.Phase, now);
        next?.At(point);
    }

    /// <summary>Microseconds spent in a phase since the last reset, the current visit not included.</summary>
    public double Microseconds(StepPhase phase) => _ticks[(int)phase] * 1e6 / Stopwatch.Frequency;

    /// <summary>Starts from zero; time before the next point counts as idle.</summary>
    public void Reset()
    {
        Array.Clear(_ticks);
        (_phase, _since) = (StepPhase.Idle, Stopwatch.GetTimestamp());
    }
}
