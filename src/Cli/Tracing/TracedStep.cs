using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Reports;
using Troupe.Model.Layers;

namespace Troupe.Cli.Tracing;

/// <summary>An activity of a step, with the waits and notifications within it.</summary>
internal sealed record TracedActivity(StepSpan Span, IReadOnlyList<StepSpan> Within)
{
    /// <summary>Ticks in which it waited for peers.</summary>
    public long WaitTicks => Within.Where(w => w.Activity == StepActivity.Wait).Sum(w => w.Ticks);
}

/// <summary>A step on a rank: its activities lie end to end.</summary>
/// <param name="Span">The step itself.</param>
/// <param name="Idle">The time before it; null where nothing was before.</param>
/// <param name="Activities">In the order in which they ran.</param>
internal sealed record TracedStep(StepSpan Span, StepSpan? Idle, IReadOnlyList<TracedActivity> Activities);

/// <summary>The steps of a rank.</summary>
internal sealed record TracedRank(ClockReport Clock, IReadOnlyList<TracedStep> Steps)
{
    /// <summary>Which rank.</summary>
    public int Rank => Clock.Rank;

    /// <summary>What it is called: <c>rank 2 (stage 1, replica 0)</c>.</summary>
    public string Name =>
        $"rank {Clock.Rank} (stage {Clock.Stage}, replica {Clock.Replica}{(Clock.Tensor > 0 ? $", tensor {Clock.Tensor}" : "")})";

    /// <summary>Microseconds in a tick of its clock.</summary>
    public double TickUs => 1e6 / Clock.TicksPerSecond;

    /// <summary>
    /// Puts a rank's spans together again: what lies within an activity ended before it, and activities before their step.
    /// </summary>
    public static TracedRank Of(RankTrace trace)
    {
        var steps = new List<TracedStep>();
        (StepSpan? idle, var activities, var within) = ((StepSpan?)null, new List<TracedActivity>(), new List<StepSpan>());
        foreach (StepSpan span in trace.Spans)
        {
            if (span.Activity == StepActivity.Idle)
            {
                idle = span;
            }
            else if (span.Activity.IsWithin())
            {
                within.Add(span);
            }
            else if (!span.Activity.IsStep())
            {
                activities.Add(new TracedActivity(span, within));
                within = [];
            }
            else
            {
                steps.Add(new TracedStep(span, idle, activities));
                (idle, activities) = (null, []);
            }
        }
        return new TracedRank(trace.Clock, steps);
    }
}

/// <summary>What activities are called.</summary>
internal static class ActivityNames
{
    /// <summary>For scripts: <c>dispatch_receive</c>.</summary>
    public static string Key(this StepActivity activity) => JsonNamingPolicy.SnakeCaseLower.ConvertName(activity.ToString());

    /// <summary>For people: <c>dispatch receive</c>.</summary>
    public static string Words(this StepActivity activity) => activity.Key().Replace('_', ' ');
}
