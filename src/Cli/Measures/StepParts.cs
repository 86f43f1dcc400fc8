using Troupe.Cli.Tracing;
using Troupe.Model.Layers;

namespace Troupe.Cli.Measures;

/// <summary>Microseconds of something that happens once a step.</summary>
internal sealed record StepFigure(double P50Us, double MeanUs)
{
    /// <summary>Of these times.</summary>
    public static StepFigure Of(IReadOnlyList<double> us)
    {
        if (us.Count == 0) return new StepFigure(0, 0);
        double[] sorted = [.. us.Order()];
        return new StepFigure(Round(sorted[sorted.Length / 2]), Round(sorted.Average()));
    }

    internal static double Round(double value) => Math.Round(value, 3);
}

/// <summary>One activity in the steps of a rank.</summary>
/// <param name="Name">What it is called, as in a trace.</param>
/// <param name="Us">How long all of it takes in a step, waiting included.</param>
/// <param name="Share">Its part of all steps, in [0, 1].</param>
/// <param name="WaitingUs">Microseconds of it, on average, in which the rank waited for peers.</param>
internal sealed record StepPart(string Name, StepFigure Us, double Share, double WaitingUs);

/// <summary>What the steps of one kind were made of on a rank.</summary>
/// <param name="Steps">How many there were.</param>
/// <param name="Rows">Rows of its replica in a step, on average.</param>
/// <param name="StepUs">From the beginning of a step to its end.</param>
/// <param name="IdleUs">From the end of the step before to the beginning.</param>
/// <param name="Parts">Its activities, those that never happened left out.</param>
/// <param name="UnaccountedUs">What no part names: the step less all of them.</param>
/// <param name="UnaccountedShare">Its part of all steps.</param>
/// <param name="WaitingForUs">Microseconds of a step in which it waited, on average, by the rank that it waited for.</param>
internal sealed record RankSteps(
    int Steps, double Rows, StepFigure StepUs, StepFigure IdleUs, IReadOnlyList<StepPart> Parts, StepFigure UnaccountedUs,
    double UnaccountedShare, IReadOnlyDictionary<int, double> WaitingForUs)
{
    /// <summary>What some steps of a rank were made of.</summary>
    public static RankSteps Of(TracedRank rank, IReadOnlyList<TracedStep> steps)
    {
        double us = rank.TickUs, all = Math.Max(double.Epsilon, steps.Sum(s => s.Span.Ticks) * us);
        var parts = new List<StepPart>();
        foreach (StepActivity activity in Enum.GetValues<StepActivity>().Where(a => a > StepActivity.Other))
        {
            TracedActivity[] found = [.. steps.SelectMany(s => s.Activities).Where(a => a.Span.Activity == activity)];
            if (found.Length == 0) continue;
            double[] each = [.. steps.Select(s => us * s.Activities.Where(a => a.Span.Activity == activity).Sum(a => a.Span.Ticks))];
            parts.Add(new StepPart(activity.Key(), StepFigure.Of(each), StepFigure.Round(each.Sum() / all),
                StepFigure.Round(us * found.Sum(a => a.WaitTicks) / steps.Count)));
        }
        double[] rest = [.. steps.Select(s => us * (s.Span.Ticks
            - s.Activities.Where(a => a.Span.Activity > StepActivity.Other).Sum(a => a.Span.Ticks)))];
        var waits = steps.SelectMany(s => s.Activities).SelectMany(a => a.Within).Where(w => w.Activity == StepActivity.Wait)
            .GroupBy(w => w.Peer).OrderBy(g => g.Key)
            .ToDictionary(g => g.Key, g => StepFigure.Round(us * g.Sum(w => w.Ticks) / steps.Count));
        return new RankSteps(steps.Count, steps.Count == 0 ? 0 : StepFigure.Round(steps.Average(s => (double)s.Span.Amount)),
            StepFigure.Of([.. steps.Select(s => us * s.Span.Ticks)]), StepFigure.Of([.. steps.Select(s => us * (s.Idle?.Ticks ?? 0))]),
            parts, StepFigure.Of(rest), StepFigure.Round(rest.Sum() / all), waits);
    }
}
