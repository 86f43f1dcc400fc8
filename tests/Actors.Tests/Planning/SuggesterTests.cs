using Troupe.Actors.Planning;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class SuggesterTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 6)]
    [InlineData(12, 18)]
    public void Every_layout_of_the_ranks_is_there_once_and_those_that_fit_are_in_order_of_time(int ranks, int layouts)
    {
        SuggestReport report = Suggester.Rank(PlannerTests.Request(1, 1), ranks);
        Assert.Equal(layouts, report.Layouts.Select(l => (l.Stages, l.Replicas, l.Tensor)).Distinct().Count());
        Assert.All(report.Layouts, l => Assert.Equal(ranks, l.Stages * l.Replicas * l.Tensor));
        PlanSuggestion[] fit = [.. report.Layouts.TakeWhile(l => l.Fits)];
        Assert.NotEmpty(fit);
        Assert.Equal(fit.Length, report.Layouts.Count(l => l.Fits));
        Assert.Equal(fit.Select(l => l.RoundUs).Order(), fit.Select(l => l.RoundUs));
        Assert.All(fit, l => Assert.Contains("reading weights", l.Why, StringComparison.Ordinal));
        Assert.All(fit, l => Assert.Equal(l.StepUs, l.WeightsUs + l.ExchangeUs + l.HopUs + l.TensorUs, 0.5));
    }

    [Fact]
    public void What_does_not_fit_stands_last_with_the_arithmetic()
    {
        PlanRequest small = PlannerTests.Request(1, 1, hocon: "troupe.scheduler.kv-tokens = 65536") with { MemoryHere = 700L << 20 };
        SuggestReport report = Suggester.Rank(small, 12);
        PlanSuggestion[] not = [.. report.Layouts.SkipWhile(l => l.Fits)];
        Assert.Contains(not, l => l.Why.StartsWith("--stages 12: the model has 6 layers", StringComparison.Ordinal));
        Assert.Contains(not, l => l.Why.StartsWith("--tensor 3: the model's 8 query heads do not divide", StringComparison.Ordinal));
        Assert.Contains(not, l => l.Why.StartsWith("this host: 12 ranks need ", StringComparison.Ordinal));
        Assert.Contains(report.Layouts, l => l.Fits);
    }

    [Fact]
    public void Faster_memory_makes_weights_cheaper_and_links_no_slower()
    {
        PlanRequest request = PlannerTests.Request(1, 1);
        PlanSuggestion slow = Of(request), fast = Of(request with { ReadBytesPerSecond = 2 * request.ReadBytesPerSecond });
        Assert.Equal(slow.WeightsUs / 2, fast.WeightsUs, 0.1);
        Assert.Equal((slow.ExchangeUs, slow.HopUs), (fast.ExchangeUs, fast.HopUs));

        static PlanSuggestion Of(PlanRequest request) =>
            Suggester.Rank(request, 4).Layouts.Single(l => l is { Stages: 2, Replicas: 2, Tensor: 1 });
    }
}
