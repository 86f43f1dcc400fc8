using Troupe.Actors.Configuration;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// The one place where a rank's steps are measured: reads the clock once for each point of a step, and tells the trace, the times of
/// exchanges and the status word. Reads no clock where nobody wants to know. A trace of experts only hears when they begin and end.
/// </summary>
internal sealed class StepMeter(IFabric fabric, ExchangeTimes exchanges, StepTrace? trace, TraceOf of, TimeProvider clock) : IStepObserver
{
    private long _started;
    private bool _experts;

    /// <summary>A step begins, with bookkeeping.</summary>
    public void Begin(StepId step, int lane)
    {
        _started = clock.GetTimestamp();
        trace?.Begin(step, lane, _started);
    }

    /// <inheritdoc/>
    public void At(StepPoint point, StepActivity activity)
    {
        bool experts = activity == StepActivity.Experts, traced = trace is not null && (of == TraceOf.All || experts || _experts);
        if (traced || exchanges.IsOn)
        {
            long now = clock.GetTimestamp();
            exchanges.At(point, now);
            StepActivity kept = of == TraceOf.All || experts ? activity : StepActivity.Other;
            if (traced) trace!.At(kept, kept.OfLayer() ? point.Layer.Value : -1, now);
            _experts = experts;
        }
        // Between activities the last one says more of where a rank is than "idle" would.
        if (activity != StepActivity.Other) fabric.SetStatus(point);
    }

    /// <inheritdoc/>
    public void Note(long amount, int detail = 0) => trace?.Note(amount, detail);

    /// <summary>
    /// The step is over on this rank. The exchanges of a <paramref name="shadowed"/> one, which were doubled, say nothing.
    /// </summary>
    /// <returns>Microseconds from its beginning, and what <see cref="ExchangeTimes.End"/> knows.</returns>
    public (double Us, StepId Exchanged, double ExchangeUs) End(StepPoint idle, int rows, bool prefill, bool shadowed)
    {
        At(idle, StepActivity.Other);
        fabric.SetStatus(idle);
        (StepId exchanged, double exchangeUs) = exchanges.End(idle.Step, shadowed);
        long now = clock.GetTimestamp();
        trace?.End(prefill ? StepActivity.PrefillStep : StepActivity.DecodeStep, rows, now);
        return (clock.GetElapsedTime(_started, now).TotalMicroseconds, exchanged, exchangeUs);
    }
}
