using Troupe.Actors.Pipeline;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// Announces a step's rows to the next stage while they still lack the end of the last layer: its exchange, or where it has none the sum
/// with its input. Passes everything on to the step's meter.
/// </summary>
internal sealed class HopNotice(IStepObserver meter, StageLink link, LayerIndex last) : IStepObserver
{
    private StepId _step, _announced;
    private int _lane;

    /// <summary>The step whose rows come next.</summary>
    public HopNotice Of(StepId step, int lane)
    {
        (_step, _lane) = (step, lane);
        return this;
    }

    /// <inheritdoc/>
    public void At(StepPoint point, StepActivity activity)
    {
        meter.At(point, activity);
        if (point.Layer != last || activity is not (StepActivity.CombinePost or StepActivity.Residual) || _announced == _step) return;
        _announced = _step;
        link.Announce(_step, _lane);
    }

    /// <inheritdoc/>
    public void Note(long amount, int detail = 0) => meter.Note(amount, detail);
}
