using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class ExplorationTests
{
    private static readonly SelectorRules s_all = new(_ => true) { Capacity = 64 };
    private static readonly StepShape s_shape =
        new StepShape(2, 0, 0, 2048, 8, 2, 24) { Experts = 64 }.WithRows([8, 8]);

    [Fact]
    public void Nothing_is_explored_unless_asked_for() => Assert.DoesNotContain(Run(s_all, 2000), c => c.Explored);

    [Theory]
    [InlineData(0.02, 0.02)]
    [InlineData(0.1, 0.1)]
    [InlineData(0.9, SelectorRules.MostExplored)]
    [InlineData(double.PositiveInfinity, SelectorRules.MostExplored)]
    [InlineData(double.NaN, 0)]
    [InlineData(-1, 0)]
    public void The_share_asked_for_is_explored_and_never_more_than_a_quarter(double asked, double share)
    {
        const int Steps = 10_000;
        int explored = Run(s_all with { Explore = asked, Seed = 7 }, Steps).Count(c => c.Explored);
        double deviation = Math.Sqrt(Steps * share * (1 - share));
        Assert.InRange(explored, (share * Steps) - (5 * deviation), (share * Steps) + (5 * deviation));
    }

    [Fact]
    public void Which_steps_explore_is_a_function_of_seed_and_step()
    {
        SelectorRules rules = s_all with { Explore = 0.1, Seed = 42 };
        Assert.Equal(Run(rules, 500).Select(c => (c.Use, c.Explored)), Run(rules, 500).Select(c => (c.Use, c.Explored)));
        Assert.NotEqual(Run(rules, 500).Select(c => c.Explored), Run(rules with { Seed = 43 }, 500).Select(c => c.Explored));
    }

    [Fact]
    public void What_is_tried_is_legal_not_the_pick_not_too_dear_and_in_time_everything_that_is_not()
    {
        List<Choice> run = Run(s_all with { Explore = 0.2, Seed = 1 }, 2000);
        Strategy picked = Assert.Single(run.Where(c => !c.Explored).Select(c => c.Use).Distinct());
        Choice[] explored = [.. run.Where(c => c.Explored)];
        Assert.All(explored, c =>
        {
            Assert.Null(c.Of(c.Use).Illegal);
            Assert.NotEqual(picked, c.Use);
            Assert.True(c.ChosenUs <= Selector.DearestTried * c.Of(picked).PredictedUs);
            Assert.StartsWith("explores the ", c.Reason, StringComparison.Ordinal);
        });
        Strategy[] worthTrying = [.. run[0].Outlooks.Where(o => o.Illegal is null && o.Strategy != picked
            && o.PredictedUs <= Selector.DearestTried * run[0].Of(picked).PredictedUs).Select(o => o.Strategy)];
        Assert.NotEmpty(worthTrying);
        Assert.Equal(worthTrying.Order(), explored.Select(c => c.Use).Distinct().Order());
    }

    [Fact]
    public void A_strategy_that_is_known_to_be_dear_is_no_longer_tried()
    {
        Selector selector = new(CostModel.Guess, s_all with { Explore = 0.25, Seed = 5 });
        int tried = 0, late = 0;
        for (int step = 3; step < 3000; step++)
        {
            (selector, Choice choice) = selector.Choose(new StepId(step), StepKind.Decode, s_shape);
            bool pick = !choice.Explored;
            selector = selector.Observe(choice, choice.ModelUs * (pick ? 1 : 8));
            if (choice.Explored) tried++;
            if (choice.Explored && step > 2000) late++;
        }
        Assert.True(tried >= 10, $"{tried} tried");
        Assert.Equal(0, late);
    }

    [Fact]
    public void Regret_is_measured_where_alternatives_were_tried()
    {
        Random random = Seed.For(nameof(Regret_is_measured_where_alternatives_were_tried));
        var log = new DecisionLog(512);
        Selector selector = new(CostModel.Guess, s_all with { Explore = 0.2, Seed = 3 });
        (_, Choice usual) = selector.Choose(new StepId(1), StepKind.Decode, s_shape);
        for (int step = 3; step < 400; step++)
        {
            (selector, Choice choice) = selector.Choose(new StepId(step), StepKind.Decode, s_shape); // and learns nothing
            log.Add(new Decision(new StepPlan(new Epoch(1), new StepId(step), 0, default, choice.Strategy, []), StepKind.Decode, choice));
            log.Measured(new StepId(step), choice.Explored ? 150 + random.Next(10) : 200 + (step % 50 == 0 ? 3000 : 0));
        }
        var summary = DecisionReports.Summarize(log);
        Assert.Equal(397, summary.Steps);
        Assert.Equal(summary.Steps, summary.Strategies.Sum(s => s.Steps));
        Assert.Equal((usual.Strategy, 0), (summary.Strategies[0].Strategy, summary.Strategies[0].Explored));
        Assert.All(summary.Strategies.Skip(1), s => Assert.Equal(s.Steps, s.Explored));
        Assert.Equal(1, summary.Regret!.Shapes);
        Assert.Equal(200, summary.Regret.ChosenUs);
        Assert.InRange(summary.Regret.BestUs, 150, 160);
        Assert.Equal(200 / summary.Regret.BestUs, summary.Regret.Ratio, 1e-9);
    }

    private static List<Choice> Run(SelectorRules rules, int steps)
    {
        var selector = new Selector(CostModel.Guess, rules);
        var choices = new List<Choice>(steps);
        for (int step = 3; step < 3 + steps; step++)
        {
            (selector, Choice choice) = selector.Choose(new StepId(step), StepKind.Decode, s_shape);
            choices.Add(choice);
        }
        return choices;
    }
}
