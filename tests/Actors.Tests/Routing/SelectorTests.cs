using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class SelectorTests
{
    private static readonly SelectorRules s_all = new(_ => true) { Capacity = 64 };
    private static readonly StepShape s_hosts = Even(4, 8) with { HostOf = [0, 0, 1, 1], Mapping = Mapping.SameHost };

    [Fact]
    public void Each_strategy_is_legal_where_the_design_says_so()
    {
        StepShape small = Even(4, 64), large = Even(4, 65), tcp = Even(4, 8) with { Mapping = Mapping.Nobody };
        foreach (Strategy strategy in Enum.GetValues<Strategy>())
        {
            bool[] legal = [.. new[] { small, large, tcp, s_hosts, s_hosts with { SomeStageOnOneHost = true } }
                .Select(shape => Legality.WhyNot(strategy, shape, s_all) is null)];
            bool[] expected = strategy switch
            {
                Strategy.AllGatherReduceScatter => [true, true, true, true, true],
                Strategy.HighThroughput => [true, true, true, true, true],
                Strategy.Hierarchical => [false, false, false, true, false],
                Strategy.LowLatency or Strategy.Fused => [true, false, true, true, true],
                _ => [true, true, false, false, false], // mapped windows
            };
            Assert.Equal(expected, legal);
            SelectorRules none = s_all with { Available = _ => false };
            Assert.Equal(strategy == Strategies.Fallback, Legality.WhyNot(strategy, s_hosts, none) is null);
        }
    }

    [Fact]
    public void This_build_offers_what_its_table_of_strategies_has()
    {
        foreach (Strategy strategy in Enum.GetValues<Strategy>())
        {
            bool has = Strategies.Resolve(Strategies.NameOf(strategy)).Warning is null;
            Assert.Equal(has, SelectorRules.Default.Available(strategy));
        }
    }

    [Fact]
    public void The_cheapest_legal_one_is_picked_and_the_illegal_ones_say_why()
    {
        (_, Choice choice) = New(s_all).Choose(new StepId(3), StepKind.Decode, Even(4, 65));
        Assert.Equal(choice.PredictedUs.MinBy(p => p.Value).Key, choice.Strategy);
        Assert.Equal(["fused", "hierarchical", "low_latency"], choice.Illegal.Keys);
        Assert.Equal("65 rows on a rank, its slots hold 64", choice.Illegal["low_latency"]);
        Assert.Equal(Enum.GetValues<Strategy>().Length, choice.PredictedUs.Count + choice.Illegal.Count);
    }

    [Fact]
    public void A_challenger_that_is_clearly_cheaper_takes_over_after_three_steps_in_a_row_and_not_before()
    {
        (Selector selector, Choice first, Strategy challenger) = Contest(becomes: 0.83);
        var picks = new List<Strategy>();
        for (int i = 0; i < Selector.Patience; i++)
        {
            (selector, Choice choice) = selector.Choose(new StepId(10 + i), StepKind.Decode, Even(2, 8));
            picks.Add(choice.Use);
        }
        Assert.Equal([first.Use, first.Use, challenger], picks);
    }

    [Fact]
    public void A_challenger_that_is_far_cheaper_takes_over_at_once_and_a_close_one_never()
    {
        (Selector far, _, Strategy challenger) = Contest(becomes: 0.6);
        Assert.Equal(challenger, far.Choose(new StepId(10), StepKind.Decode, Even(2, 8)).Choice.Use);
        (Selector close, Choice first, _) = Contest(becomes: 0.95);
        for (int i = 0; i < 50; i++)
        {
            (close, Choice choice) = close.Choose(new StepId(10 + i), StepKind.Decode, Even(2, 8));
            Assert.Equal(first.Use, choice.Use);
        }
    }

    [Fact]
    public void Prefill_and_decode_do_not_move_each_others_pick()
    {
        (Selector selector, Choice first, Strategy challenger) = Contest(becomes: 0.95);
        (selector, Choice prefill) = selector.Choose(new StepId(9), StepKind.Prefill, Even(2, 8));
        Assert.Equal(Cheaper(selector, challenger, first.Use, StepKind.Prefill), prefill.Use); // its own
        (_, Choice decode) = selector.Choose(new StepId(10), StepKind.Decode, Even(2, 8));
        Assert.Equal(first.Use, decode.Use);
    }

    [Fact]
    public void Stalls_of_the_scheduler_never_flip_a_settled_choice()
    {
        Random random = Seed.For(nameof(Stalls_of_the_scheduler_never_flip_a_settled_choice));
        StepShape shape = Even(4, 8);
        (Selector selector, Choice settled) = New(s_all).Choose(new StepId(3), StepKind.Decode, shape);
        for (int i = 4; i < 1000; i++)
        {
            double us = settled.ModelUs * (0.9 + 0.2 * random.NextDouble()) + (i % 10 == 0 ? 3000 : 0);
            selector = selector.Observe(settled, us);
            (selector, Choice choice) = selector.Choose(new StepId(i), StepKind.Decode, shape);
            Assert.Equal(settled.Use, choice.Use);
        }
    }

    [Fact]
    public void A_pinned_strategy_is_used_wherever_it_is_legal_and_warns_once_where_it_is_not()
    {
        Selector selector = New(s_all with { Pinned = "low_latency", Explore = 0.25 });
        var warnings = new List<string>();
        for (int step = 3; step < 100; step++)
        {
            (selector, Choice choice) = selector.Choose(new StepId(step), StepKind.Decode, Even(2, step % 4 == 0 ? 65 : 64));
            Assert.Equal(step % 4 == 0 ? Strategies.Fallback : Strategy.LowLatency, choice.Use);
            Assert.False(choice.Explored);
            if (choice.Warning is { } warning) warnings.Add(warning);
        }
        Assert.Equal("strategy 'low_latency' was asked for, allgather_reducescatter is used where it cannot be: "
            + "65 rows on a rank, its slots hold 64", Assert.Single(warnings));
    }

    [Theory]
    [InlineData("xyzzy", "no strategy has this name")]
    [InlineData("naive", "write allgather_reducescatter")]
    [InlineData("fused", "not available in this build")]
    [InlineData("", "no strategy has this name")]
    public void A_name_that_cannot_be_had_warns_once_and_falls_back(string pinned, string says)
    {
        Selector selector = New(new SelectorRules(_ => false) { Pinned = pinned });
        (selector, Choice first) = selector.Choose(new StepId(3), StepKind.Decode, Even(2, 1));
        (_, Choice second) = selector.Choose(new StepId(4), StepKind.Prefill, Even(2, 100));
        Assert.Equal((Strategies.Fallback, Strategies.Fallback), (first.Use, second.Use));
        Assert.Contains(says, first.Warning, StringComparison.Ordinal);
        Assert.Contains($"'{pinned}'", first.Warning, StringComparison.Ordinal);
        Assert.Null(second.Warning);
    }

    [Fact]
    public void One_rank_needs_no_exchange()
    {
        (_, Choice alone) = New(s_all).Choose(new StepId(3), StepKind.Decode, Even(1, 4));
        Assert.Equal((Strategies.Fallback, 0.0), (alone.Use, alone.ChosenUs));
    }

    /// <summary>Two strategies only, both measured: the one not in use takes <paramref name="becomes"/> of the other.</summary>
    private static (Selector, Choice First, Strategy Challenger) Contest(double becomes)
    {
        SelectorRules rules = new(s => s == Strategy.LowLatency);
        (Selector selector, Choice first) = New(rules).Choose(new StepId(3), StepKind.Decode, Even(2, 8));
        Strategy challenger = first.Use == Strategy.LowLatency ? Strategies.Fallback : Strategy.LowLatency;
        Choice other = first with { Use = challenger, ModelUs = first.Of(challenger).PredictedUs };
        for (int i = 0; i < 500; i++)
            selector = selector.Observe(first, first.ModelUs).Observe(other, first.ModelUs * becomes);
        return (selector, first, challenger);
    }

    private static Strategy Cheaper(Selector selector, Strategy a, Strategy b, StepKind kind)
    {
        (_, Choice choice) = New(selector.Rules).Choose(new StepId(1), kind, Even(2, 8));
        double costA = choice.Of(a).PredictedUs * selector.Corrections.Factor(a, choice.Bucket);
        double costB = choice.Of(b).PredictedUs * selector.Corrections.Factor(b, choice.Bucket);
        return costA < costB ? a : b;
    }

    private static Selector New(SelectorRules rules) => new(CostModel.Guess, rules);

    private static StepShape Even(int ranks, int rows) => new StepShape(ranks, 0, 0, 2048, 8, 2, 24) { Experts = 64 }
        .WithRows([.. Enumerable.Repeat(rows, ranks)]);
}
