using Troupe.Cli.Tracing;
using Troupe.Model.Layers;

namespace Troupe.Cli.Measures;

/// <summary>
/// How rows went from stage to stage: medians over all hops of some steps, each by itself, so that they need not add up. A hop begins when
/// the sender begins to send (and may), and ends when the receiver has the rows where it computes. <see cref="UnaccountedUs"/> is what is
/// left of it without the copies on both sides, and without the time by which the receiver came later than the data: raising and seeing
/// the flag, waking up, and what the transport does by itself.
/// </summary>
/// <param name="Hops">How many.</param>
/// <param name="HopUs">From the beginning of sending to having the rows.</param>
/// <param name="CopyUs">Writing the rows to the receiver's window, and copying them from there.</param>
/// <param name="LateUs">By how much the receiver came later than the data; 0 where it was there.</param>
/// <param name="UnaccountedUs">The rest.</param>
/// <param name="WaitingHops">In how many the receiver was there before the data.</param>
/// <param name="UnaccountedWaitingUs">The rest in these: it holds the receiver's waking up.</param>
/// <param name="WaitedUs">How long the receiver had waited for the sender to begin to send: no part of the hop.</param>
/// <param name="ClockUncertaintyUs">By how much these times can be off at most, from clock to clock.</param>
internal sealed record StageHops(
    int Hops, double HopUs, double CopyUs, double LateUs, double UnaccountedUs, int WaitingHops, double UnaccountedWaitingUs,
    double WaitedUs, double ClockUncertaintyUs)
{
    /// <summary>The hops of steps that <paramref name="wanted"/> names; null where there were none.</summary>
    public static StageHops? Of(IReadOnlyList<Arrow> arrows, Timeline timeline, Func<StepSpan, bool> wanted)
    {
        Arrow[] hops = [.. arrows.Where(a => a.Sending.Span.Activity == StepActivity.StageSend && wanted(a.Notified))];
        if (hops.Length == 0) return null;
        var parts = hops.Select(a => Part(a, timeline)).ToList();
        return new StageHops(hops.Length, P50(parts.Select(p => p.Hop)), P50(parts.Select(p => p.Copy)), P50(parts.Select(p => p.Late)),
            P50(parts.Select(p => p.Left)), parts.Count(p => p.Late == 0),
            P50(parts.Where(p => p.Late == 0).Select(p => p.Left)), P50(parts.Select(p => p.Waited)),
            StepFigure.Round(hops.Max(a => timeline.Between(a.Source, a.Target))));
    }

    private static (double Hop, double Copy, double Late, double Left, double Waited) Part(Arrow hop, Timeline timeline)
    {
        // Where hops wait for their receives, nothing is sent before.
        double begun = timeline.Us(hop.Source, hop.Sending.Span.Start + hop.Sending.WaitTicks);
        double written = timeline.Us(hop.Source, hop.Notified.Start);
        double came = timeline.Us(hop.Target, hop.Waited.Start), seen = timeline.Us(hop.Target, hop.Waited.End);
        double had = timeline.Us(hop.Target, hop.Receiving.Span.End);
        double late = Math.Max(0, came - written);
        return (had - begun, written - begun + had - seen, late, seen - written - late, Math.Max(0, begun - came));
    }

    private static double P50(IEnumerable<double> us) => StepFigure.Of([.. us]).P50Us;
}
