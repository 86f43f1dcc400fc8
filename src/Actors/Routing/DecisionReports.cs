using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;

namespace Troupe.Actors.Routing;

/// <summary>Decisions as the state tooling shows them, pure.</summary>
public static class DecisionReports
{
    /// <summary>Measured steps of a strategy and shape before its median counts: one disturbed step must not look like regret.</summary>
    public const int LeastSteps = 3;

    /// <summary>One decision.</summary>
    public static ExplainReport Of(Decision decision, string lease) => new(
        decision.Plan.Step.Value, decision.Plan.Lane, decision.Kind == StepKind.Prefill ? "prefill" : "decode",
        [.. decision.Plan.Shares.Select(s => s.Rows)], decision.Choice.Strategy, decision.Choice.Reason,
        decision.Choice.PredictedUs, decision.MeasuredUs, lease)
    {
        Explored = decision.Choice.Explored,
        InHalves = decision.Plan.InHalves,
        Illegal = decision.Choice.Illegal,
    };

    /// <summary>All decisions that a log keeps.</summary>
    public static RoutingSummary Summarize(DecisionLog log)
    {
        Decision[] kept = [.. log.Kept];
        return new RoutingSummary(kept.Length,
            [.. kept.GroupBy(d => d.Choice.Strategy).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => Summarize(g.Key, [.. g]))],
            Regret(kept));
    }

    private static StrategySummary Summarize(string strategy, Decision[] steps)
    {
        Decision[] measured = [.. steps.Where(IsMeasured)];
        return new StrategySummary(strategy, steps.Length, steps.Count(d => d.Choice.Explored),
            measured.Length == 0 ? null : measured.Average(d => d.PredictedUs),
            measured.Length == 0 ? null : measured.Average(d => d.MeasuredUs!.Value));
    }

    private static RegretReport? Regret(Decision[] kept)
    {
        (int shapes, int steps, double chosen, double best) = (0, 0, 0, 0);
        foreach (IGrouping<ShapeBucket, Decision> shape in kept.Where(IsMeasured).GroupBy(d => d.Choice.Bucket))
        {
            Dictionary<string, double> medians = shape.GroupBy(d => d.Choice.Strategy).Where(g => g.Count() >= LeastSteps)
                .ToDictionary(g => g.Key, g => Median(g.Select(d => d.MeasuredUs!.Value)), StringComparer.Ordinal);
            if (medians.Count < 2) continue;
            shapes++;
            foreach (Decision step in shape.Where(d => !d.Choice.Explored))
            {
                if (!medians.TryGetValue(step.Choice.Strategy, out double median)) continue;
                steps++;
                chosen += median;
                best += medians.Values.Min();
            }
        }
        return steps == 0 ? null : new RegretReport(shapes, steps, chosen / steps, best / steps, chosen / best);
    }

    /// <summary>A group of one exchanges nothing: 0 microseconds are no measurement.</summary>
    private static bool IsMeasured(Decision decision) => decision.MeasuredUs is > 0;

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
