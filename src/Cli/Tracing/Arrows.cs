using Troupe.Model.Layers;

namespace Troupe.Cli.Tracing;

/// <summary>A notification and the wait that saw it. Source and target are places in the list of ranks.</summary>
/// <param name="Source">Who notified.</param>
/// <param name="Sending">In which activity.</param>
/// <param name="Notified">The notification.</param>
/// <param name="Target">Who waited.</param>
/// <param name="Receiving">In which activity.</param>
/// <param name="Waited">The wait.</param>
internal sealed record Arrow(
    int Source, TracedActivity Sending, StepSpan Notified, int Target, TracedActivity Receiving, StepSpan Waited);

/// <summary>Finds what was sent in what was received.</summary>
internal static class Arrows
{
    /// <summary>
    /// All pairs whose both sides were kept. A flag only grows, and a wait says which value it saw, so the notification is the one that
    /// raised that flag to this very value. Of several waits that saw it, the first.
    /// </summary>
    public static List<Arrow> Of(IReadOnlyList<TracedRank> ranks)
    {
        var sent = new Dictionary<(int Source, int Target, int Flag, long Value), (int Index, TracedActivity Activity, StepSpan Span)>();
        foreach ((int index, TracedRank rank) in ranks.Index())
            foreach ((TracedActivity activity, StepSpan span) in Within(rank, StepActivity.Notify))
                sent.TryAdd((rank.Rank, span.Peer, span.Detail, span.Amount), (index, activity, span));
        var arrows = new List<Arrow>();
        foreach ((int index, TracedRank rank) in ranks.Index())
        {
            foreach ((TracedActivity activity, StepSpan span) in Within(rank, StepActivity.Wait))
            {
                if (sent.Remove((span.Peer, rank.Rank, span.Detail, span.Amount), out var from))
                    arrows.Add(new Arrow(from.Index, from.Activity, from.Span, index, activity, span));
            }
        }
        return arrows;
    }

    private static IEnumerable<(TracedActivity Activity, StepSpan Span)> Within(TracedRank rank, StepActivity kind) =>
        from step in rank.Steps
        from activity in step.Activities
        from span in activity.Within
        where span.Activity == kind
        select (activity, span);
}
