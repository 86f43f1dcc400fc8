using System.Collections.Immutable;
using Troupe.Actors.Configuration;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class OverlapRuleTests
{
    private const int Ranks = 2, Rows = OverlapRule.LeastRows;
    private static readonly ShapeBucket s_bucket = new(StepKind.Prefill, 6, OneSided: false);

    [Theory]
    [InlineData(OverlapMode.On, Rows, Rows, 2, true)]
    [InlineData(OverlapMode.On, 2 * Rows, 0, 2, true)]
    [InlineData(OverlapMode.On, Rows, Rows - 1, 2, false)]
    [InlineData(OverlapMode.On, Rows, Rows, 1, false)]
    [InlineData(OverlapMode.Off, 500, 500, 2, false)]
    public void Steps_with_enough_rows_in_groups_of_several_ranks_are_cut(OverlapMode mode, int a, int b, int ranks, bool wanted) =>
        Assert.Equal(wanted, new OverlapRule(mode).Choose(s_bucket, Shares(a, b), ranks).InHalves);

    [Theory]
    [InlineData(0.8, true)]
    [InlineData(0.99, false)]
    [InlineData(1.2, false)]
    public void Auto_ends_with_what_is_clearly_faster_though_times_scatter(double ratio, bool wanted)
    {
        (bool[] chosen, double total) = Run(ratio, 1000);
        Assert.Equal(wanted, chosen[^100..].Count(c => c) > 50);
        // What trying costs, beside always doing the same.
        Assert.InRange(total / chosen.Length, 0, Math.Max(1, wanted ? ratio * 1.05 : 1) * 1.03);
    }

    [Fact]
    public void Few_steps_of_auto_try_the_other_way()
    {
        bool[] chosen = Run(3, 640).Chosen;
        Assert.False(chosen[0]);
        Assert.InRange(chosen.Count(c => c), OverlapRule.Enough, OverlapRule.Enough + 640 / OverlapRule.TryRarely + 1);
    }

    [Fact]
    public void Auto_learns_for_each_size_by_itself_and_nothing_from_steps_of_unknown_length()
    {
        var rule = new OverlapRule(OverlapMode.Auto);
        ShapeBucket other = s_bucket with { LogRows = 9 };
        for (int step = 0; step < 200; step++) rule = Next(rule, s_bucket, step, halves => halves ? 0.5 : 1).After;
        Assert.True(rule.Choose(s_bucket, Shares(Rows, Rows), Ranks).InHalves);
        for (int step = 0; step < 200; step++) rule = Next(rule, other, step, _ => 0).After;
        Assert.False(rule.Choose(other, Shares(Rows, Rows), Ranks).InHalves);
    }

    /// <summary>Steps of 1 in one piece and of the ratio in halves, each up to 30 % longer by chance.</summary>
    private static (bool[] Chosen, double Total) Run(double ratio, int steps)
    {
        Random random = Seed.For($"{nameof(OverlapRuleTests)} {ratio}");
        var rule = new OverlapRule(OverlapMode.Auto);
        var chosen = new bool[steps];
        double total = 0;
        for (int step = 0; step < steps; step++)
        {
            (rule, chosen[step]) = Next(rule, s_bucket, step, halves =>
            {
                double time = halves ? ratio : 1;
                total += time;
                return time * (1 + 0.05 * random.NextDouble() + (random.Next(10) == 0 ? 0.3 : 0));
            });
        }
        return (chosen, total);
    }

    private static (OverlapRule After, bool InHalves) Next(OverlapRule rule, ShapeBucket bucket, int step, Func<bool, double> length)
    {
        ImmutableArray<ReplicaShare> shares = Shares(Rows, Rows);
        (rule, bool inHalves) = rule.Choose(bucket, shares, Ranks);
        var plan = new StepPlan(new Epoch(1), new StepId(3 + step), 0, default, "s", shares, InHalves: inHalves);
        var choice = new Choice(Strategies.Fallback, "", []) { Bucket = bucket };
        return (rule.Observe(new Decision(plan, StepKind.Prefill, choice), length(inHalves) * 1000), inHalves);
    }

    private static ImmutableArray<ReplicaShare> Shares(params int[] rows) => [.. rows.Select(r => new ReplicaShare(r, 1))];
}
