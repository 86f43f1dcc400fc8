using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class CorrectionsTests
{
    private static readonly ShapeBucket s_small = new(StepKind.Decode, 3, OneSided: false);
    private static readonly ShapeBucket s_large = new(StepKind.Prefill, 10, OneSided: false);

    [Fact]
    public void A_steady_error_is_learned_in_both_directions()
    {
        foreach (double factor in (double[])[3, 0.2])
        {
            Corrections learned = Observe(Corrections.None, Strategy.Workspace, s_small, factor, 40);
            Assert.Equal(factor, learned.Factor(Strategy.Workspace, s_small), factor * 0.01);
        }
    }

    [Fact]
    public void A_single_stall_changes_nothing_neither_as_the_first_step_nor_later()
    {
        Corrections first = Observe(Corrections.None, Strategy.Workspace, s_small, 100, 1);
        Assert.Equal(1, first.Factor(Strategy.Workspace, s_small));
        Corrections learned = Observe(first, Strategy.Workspace, s_small, 1.2, 40);
        double before = learned.Factor(Strategy.Workspace, s_small);
        learned = Observe(learned, Strategy.Workspace, s_small, 100, 1);
        Assert.Equal(before, learned.Factor(Strategy.Workspace, s_small), before * 0.01);
        learned = Observe(learned, Strategy.Workspace, s_small, 1.2, 20);
        Assert.Equal(1.2, learned.Factor(Strategy.Workspace, s_small), 0.02);
    }

    [Fact]
    public void What_one_strategy_measures_never_changes_the_order_among_the_others()
    {
        Random random = Seed.For(nameof(What_one_strategy_measures_never_changes_the_order_among_the_others));
        Strategy[] all = Enum.GetValues<Strategy>();
        ShapeBucket[] buckets = [s_small, s_large];
        Corrections learned = Corrections.None;
        for (int i = 0; i < 500; i++)
        {
            (Strategy ran, ShapeBucket bucket) = (all[random.Next(all.Length)], buckets[random.Next(2)]);
            Corrections after = learned.Observe(ran, bucket, 100, 100 * Math.Exp(random.NextDouble() * 6 - 3));
            Strategy[] others = [.. all.Where(s => s != ran)];
            foreach (ShapeBucket b in buckets)
            {
                foreach (Strategy other in others)
                {
                    double before = learned.Factor(other, b) / learned.Factor(others[0], b);
                    Assert.Equal(before, after.Factor(other, b) / after.Factor(others[0], b), before * 1e-9);
                }
            }
            learned = after;
        }
    }

    [Fact]
    public void A_slow_strategy_is_told_from_a_slow_machine_once_another_has_run_beside_it()
    {
        Corrections learned = Corrections.None;
        for (int i = 0; i < 80; i++)
        {
            learned = Observe(learned, Strategy.LowLatency, s_small, 3.0, 1);
            learned = Observe(learned, Strategy.Workspace, s_small, 1.5, 1);
        }
        Assert.Equal(3.0, learned.Factor(Strategy.LowLatency, s_small), 0.1);
        Assert.Equal(1.5, learned.Factor(Strategy.Workspace, s_small), 0.1);
        // Elsewhere nothing was measured, but the slower one is expected to be the slower one there too.
        Assert.True(learned.Factor(Strategy.LowLatency, s_large) > 1.05 * learned.Factor(Strategy.Workspace, s_large));
    }

    [Fact]
    public void Alone_a_strategy_is_blamed_for_a_part_of_its_error_and_never_for_much()
    {
        foreach (double slower in (double[])[1.2, 2, 10, 300])
        {
            Corrections learned = Observe(Corrections.None, Strategy.LowLatency, s_small, slower, 100);
            Assert.Equal(slower, learned.Factor(Strategy.LowLatency, s_small), slower * 0.01);
            double blame = slower / learned.Factor(Strategy.Workspace, s_small);
            Assert.InRange(blame, 1.05, Math.Min(Corrections.MostBlame * 1.02, Math.Pow(slower, Corrections.OwnShare) * 1.02));
        }
    }

    [Fact]
    public void A_machine_that_slows_down_does_not_speak_for_a_strategy_that_has_not_run_since()
    {
        Corrections learned = Observe(Corrections.None, Strategy.LowLatency, s_small, 1, 20);
        learned = Observe(learned, Strategy.Workspace, s_small, 1, 20);
        learned = Observe(learned, Strategy.LowLatency, s_small, 3, 60);
        double carried = learned.Factor(Strategy.Workspace, s_small);
        Assert.InRange(carried, 3 / Corrections.MostBlame, 3);
        // One more step of it does not bring the old times back.
        learned = Observe(learned, Strategy.Workspace, s_small, 3, 1);
        Assert.True(learned.Factor(Strategy.Workspace, s_small) > 0.95 * carried);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(5, 0)]
    [InlineData(-1, 5)]
    [InlineData(double.NaN, 5)]
    [InlineData(5, double.NaN)]
    [InlineData(5, double.PositiveInfinity)]
    public void Times_that_are_no_times_say_nothing(double model, double measured) =>
        Assert.Same(Corrections.None, Corrections.None.Observe(Strategy.Workspace, s_small, model, measured));

    [Fact]
    public void Factors_stay_finite_whatever_is_measured()
    {
        Corrections learned = Observe(Corrections.None, Strategy.Workspace, s_small, 1e300, 200);
        Assert.True(double.IsFinite(learned.Factor(Strategy.Workspace, s_small)));
        learned = Observe(Corrections.None, Strategy.Workspace, s_small, 1e-300, 200);
        Assert.True(learned.Factor(Strategy.Workspace, s_small) > 0);
    }

    private static Corrections Observe(Corrections learned, Strategy strategy, ShapeBucket bucket, double factor, int times)
    {
        for (int i = 0; i < times; i++) learned = learned.Observe(strategy, bucket, 100, 100 * factor);
        return learned;
    }
}
