using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>A plan with what it was chosen from. The outcome comes with the lane's next offer.</summary>
public sealed record Decision(StepPlan Plan, StepKind Kind, Choice Choice)
{
    /// <summary>Microseconds predicted for the strategy that was used.</summary>
    public double PredictedUs => Choice.ChosenUs;

    /// <summary>Microseconds of dispatch and combine as the last stage measured them; null until known.</summary>
    public double? MeasuredUs { get; init; }
}

/// <summary>The last decisions by step, in a ring of fixed size.</summary>
public sealed class DecisionLog(int capacity)
{
    private readonly Decision?[] _ring = new Decision[capacity];
    private readonly SortedDictionary<string, long> _used = new(StringComparer.Ordinal);

    /// <summary>The newest decision.</summary>
    public Decision? Last { get; private set; }

    /// <summary>How many steps used each strategy in this epoch.</summary>
    public IReadOnlyDictionary<string, long> StepsByStrategy => _used;

    /// <summary>Keeps a decision, in place of the oldest.</summary>
    public void Add(Decision decision)
    {
        Last = decision;
        _ring[decision.Plan.Step.Value % capacity] = decision;
        _used[decision.Choice.Strategy] = _used.GetValueOrDefault(decision.Choice.Strategy) + 1;
    }

    /// <summary>The decision of a step of the newest epoch, if it is still kept.</summary>
    public Decision? Find(StepId step) =>
        step.Value > 0 && _ring[step.Value % capacity] is { } kept && kept.Plan.Step == step && kept.Plan.Epoch == Last!.Plan.Epoch
            ? kept : null;

    /// <summary>Notes how a step went.</summary>
    /// <returns>The decision with its outcome, or null if it is no longer kept.</returns>
    public Decision? Measured(StepId step, double microseconds)
    {
        if (Find(step) is not { MeasuredUs: null } decision) return null;
        decision = decision with { MeasuredUs = microseconds };
        _ring[step.Value % capacity] = decision;
        if (Last?.Plan.Step == step) Last = decision;
        return decision;
    }

    /// <summary>All decisions of the newest epoch that are kept, in no order.</summary>
    public IEnumerable<Decision> Kept => _ring.OfType<Decision>().Where(d => d.Plan.Epoch == Last!.Plan.Epoch);

    /// <summary>The newest decisions, newest first.</summary>
    public IEnumerable<Decision> Newest(int count)
    {
        for (long step = Last?.Plan.Step.Value ?? 0; step > 0 && count > 0 && Find(new StepId(step)) is { } decision; step--, count--)
            yield return decision;
    }
}
