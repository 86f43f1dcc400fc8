using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Topology;

public sealed class LayerSplitTests
{
    private const int Rounds = 400;

    [Fact]
    public void Stages_are_consecutive_none_is_empty_and_all_layers_are_in_one()
    {
        Random random = Seed.For(nameof(Stages_are_consecutive_none_is_empty_and_all_layers_are_in_one));
        for (int round = 0; round < Rounds; round++)
        {
            long[] costs = Costs(random, random.Next(1, 60));
            int stages = random.Next(1, costs.Length + 1);
            LayerSplit split = LayerSplit.Balanced(costs, random.Next(50), random.Next(400), stages);
            Assert.Equal((stages, costs.Length), (split.Stages, split.Layers));
            Assert.All(split.Counts, count => Assert.True(count > 0));
            Assert.Equal(Enumerable.Range(0, costs.Length), Enumerable.Range(0, stages).SelectMany(split.Of).Select(layer => layer.Value));
            Assert.All(Enumerable.Range(0, stages), stage => Assert.Equal(split.First(stage), split.Of(stage).First()));
        }
    }

    [Fact]
    public void No_split_has_a_cheaper_dearest_stage_and_none_of_those_is_more_even()
    {
        Random random = Seed.For(nameof(No_split_has_a_cheaper_dearest_stage_and_none_of_those_is_more_even));
        for (int round = 0; round < Rounds; round++)
        {
            long[] costs = Costs(random, random.Next(1, 11));
            int stages = random.Next(1, costs.Length + 1);
            (long embedding, long head) = (random.Next(50), random.Next(400));
            (long Dearest, long Squares)[] all =
                [.. Compositions(costs.Length, stages).Select(counts => Measure(costs, embedding, head, counts))];
            Assert.Equal(all.Min(), Measure(costs, embedding, head, LayerSplit.Balanced(costs, embedding, head, stages).Counts));
        }
    }

    [Theory]
    [InlineData(6, 4, "2,2,1,1")]
    [InlineData(7, 2, "4,3")]
    [InlineData(5, 5, "1,1,1,1,1")]
    public void Equal_layers_split_as_by_count(int layers, int stages, string split)
    {
        Assert.Equal(split, LayerSplit.Balanced([.. Enumerable.Repeat(7L, layers)], 0, 0, stages).ToText());
        Assert.Equal(split, LayerSplit.Even(layers, stages).ToText());
    }

    [Fact]
    public void A_head_as_heavy_as_two_layers_takes_two_from_the_last_stage() =>
        Assert.Equal(new LayerSplit(4, 2), LayerSplit.Balanced([10, 10, 10, 10, 10, 10], 0, 20, 2));

    [Fact]
    public void Costs_of_the_largest_models_do_not_overflow()
    {
        long[] costs = [.. Enumerable.Repeat(long.MaxValue / 1024, 1000)];
        Assert.Equal(LayerSplit.Even(1000, 333), LayerSplit.Balanced(costs, 0, 0, 333));
    }

    [Fact]
    public void A_split_that_cannot_be_is_refused()
    {
        Assert.Throws<ArgumentException>(() => LayerSplit.Balanced([1, 1], 0, 0, 3));
        Assert.Throws<ArgumentException>(() => LayerSplit.Balanced([1, -1], 0, 0, 1));
        Assert.Throws<ArgumentException>(() => new LayerSplit(2, 0));
        Assert.Throws<ArgumentException>(() => new LayerSplit());
    }

    [Theory]
    [InlineData("10,14", null)]
    [InlineData(" 10 , 14 ", null)]
    [InlineData("10,", "must be numbers")]
    [InlineData("10,-1", "must be numbers")]
    [InlineData("0,10", "gives stage 0 no layer")]
    [InlineData("2000000000,2000000000", "more layers than any model")]
    public void A_split_reads_as_written(string text, string? problem)
    {
        (LayerSplit? split, string? said) = LayerSplit.Parse(text);
        if (problem is null) Assert.Equal("10,14", split!.ToText());
        else Assert.Contains(problem, said, StringComparison.Ordinal);
    }

    private static long[] Costs(Random random, int layers) => [.. Enumerable.Range(0, layers).Select(_ => random.NextInt64(200))];

    private static (long Dearest, long Squares) Measure(long[] costs, long embedding, long head, IReadOnlyList<int> counts)
    {
        var stages = new long[counts.Count];
        for (int stage = 0, layer = 0; stage < stages.Length; stage++)
            for (int i = 0; i < counts[stage]; i++) stages[stage] += costs[layer++];
        stages[0] += embedding;
        stages[^1] += head;
        return (stages.Max(), stages.Sum(cost => cost * cost));
    }

    /// <summary>All ways to cut so many layers into so many stages.</summary>
    private static IEnumerable<IReadOnlyList<int>> Compositions(int layers, int stages) => stages == 1 ? [[layers]]
        : from first in Enumerable.Range(1, layers - stages + 1)
          from rest in Compositions(layers - first, stages - 1)
          select (IReadOnlyList<int>)[first, .. rest];
}
