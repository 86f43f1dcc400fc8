using Troupe.Actors.Reports;
using Troupe.Cli.Tracing;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Tracing;

/// <summary>Clocks that are known to lie apart, and messages that take known times between them.</summary>
public sealed class TimelineTests
{
    private const int Ranks = 4;

    [Theory]
    [InlineData(200, 2)]
    [InlineData(200, 0)]
    [InlineData(5, 50)]
    public void Clocks_are_found_within_the_uncertainty_and_no_arrow_points_into_the_past(double pingUs, int messages)
    {
        Random random = Seed.For($"{nameof(TimelineTests)} {pingUs} {messages}");
        for (int round = 0; round < 50; round++)
        {
            double[] ahead = [.. Enumerable.Range(0, Ranks).Select(_ => (random.NextDouble() - 0.5) * 1e9)];
            double Took() => pingUs * (1 + random.NextDouble());
            TracedRank[] ranks = [.. Enumerable.Range(0, Ranks).Select(r => new TracedRank(
                new ClockReport(r, r / 2, r % 2, 0, 1_000_000_000, ahead[r] + Took(), Took() - ahead[r]), []))];
            var arrows = new List<Arrow>();
            for (int a = 0; a < Ranks; a++)
            {
                for (int b = 0; b < Ranks; b++)
                {
                    if (a == b || (a / 2 != b / 2 && a > b && b != 0)) continue; // stages send forward, and to the first
                    for (int i = 0; i < messages; i++)
                    {
                        double sent = random.NextDouble() * 1e6, took = 1 + (random.NextDouble() * 30);
                        arrows.Add(Arrow(a, Tick(sent + ahead[a]), b, Tick(sent + took + ahead[b])));
                    }
                }
            }
            var timeline = new Timeline(ranks, arrows);
            for (int a = 0; a < Ranks; a++)
            {
                Assert.InRange(timeline.OffsetUs(a) - ahead[a], -timeline.UncertaintyUs(a) - 0.01, timeline.UncertaintyUs(a) + 0.01);
                // Two stretches, to rank 0 and from there on, of at most two pings each.
                Assert.InRange(timeline.UncertaintyUs(a), 0, 4 * pingUs);
                for (int b = 0; b < Ranks; b++)
                    if (messages > 0) Assert.InRange(timeline.Between(a, b), 0, 62);
            }
            Assert.All(arrows, a => Assert.True(
                timeline.Us(a.Target, a.Waited.End) >= timeline.Us(a.Source, a.Notified.Start) - 0.01));
        }
    }

    [Fact]
    public void A_hop_is_copies_lateness_and_a_rest_on_one_timeline()
    {
        // The second rank's clock is 1000 µs ahead, which the pings say exactly.
        TracedRank[] ranks =
        [
            new(new ClockReport(0, 0, 0, 0, 1_000_000, 0, 0), []), new(new ClockReport(1, 1, 0, 0, 1_000_000, 1000, -1000), []),
        ];
        StepSpan Span(StepActivity activity, long start, long end) => new(new StepId(9), 0, activity, -1, -1, 0, 0, start, end - start);
        // Sent from 100 on, written at 107, seen at 112; the receiver has copied them by 115. It was there from 60 on, or came at 111.
        Arrow Hop(long came) => new(0, new TracedActivity(Span(StepActivity.StageSend, 100, 110), []), Span(StepActivity.Notify, 107, 109),
            1, new TracedActivity(Span(StepActivity.StageReceive, came - 5, 1115), []), Span(StepActivity.Wait, came, 1112));

        (long, double, double, double, int)[] cases = [(1060, 0, 5, 40, 1), (1111, 4, 1, 0, 0)];
        foreach ((long came, double late, double rest, double waited, int waiting) in cases)
        {
            Arrow hop = Hop(came);
            Measures.StageHops measured = Measures.StageHops.Of([hop], new Timeline(ranks, []), _ => true)!;
            Assert.Equal((1, 15.0, 10.0), (measured.Hops, measured.HopUs, measured.CopyUs));
            Assert.Equal((late, rest, waited), (measured.LateUs, measured.UnaccountedUs, measured.WaitedUs));
            Assert.Equal((waiting, waiting * rest), (measured.WaitingHops, measured.UnaccountedWaitingUs));
            Assert.Null(Measures.StageHops.Of([hop], new Timeline(ranks, []), s => s.Step.Value != 9));
        }
    }

    private static long Tick(double us) => (long)Math.Round(us * 1000);

    private static Arrow Arrow(int source, long sent, int target, long came)
    {
        StepSpan notified = new(new StepId(1), 0, StepActivity.Notify, -1, target, 1, 1, sent, 1);
        StepSpan waited = notified with { Start = came - 1 };
        return new Arrow(source, new TracedActivity(notified, []), notified, target, new TracedActivity(waited, []), waited);
    }
}
