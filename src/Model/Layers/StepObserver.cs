using Troupe.Devices.Fabric;

namespace Troupe.Model.Layers;

/// <summary>Is told where a step is, on the executor thread: for the rank's status word, for timings and traces. Must be cheap.</summary>
public interface IStepObserver
{
    /// <summary>The step enters this point now, to do this.</summary>
    void At(StepPoint point, StepActivity activity);

    /// <summary>What the activity in hand handles; see <see cref="StepSpan.Amount"/> and <see cref="StepSpan.Detail"/>.</summary>
    void Note(long amount, int detail = 0);
}
