using Troupe.Actors.Reports;
using Troupe.Cli.Measures;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Results;

public sealed class PerplexityTests
{
    [Fact]
    public void A_model_that_gives_every_token_the_same_chance_has_that_many_choices()
    {
        var perplexity = new Perplexity();
        perplexity.Add(Enumerable.Repeat(MathF.Log(1f / 32), 100));
        Assert.Equal(100, perplexity.Tokens);
        Assert.Equal(32, perplexity.Value, 1e-4);
    }

    [Fact]
    public void Windows_added_one_by_one_give_what_their_tokens_give_together()
    {
        Random random = Seed.For(nameof(Windows_added_one_by_one_give_what_their_tokens_give_together));
        float[] logProbs = [.. Enumerable.Range(0, 50_000).Select(_ => -10 * random.NextSingle())];
        var perplexity = new Perplexity();
        foreach (float[] window in logProbs.Chunk(511)) perplexity.Add(window);
        decimal mean = logProbs.Sum(p => (decimal)p) / logProbs.Length;
        Assert.Equal(Math.Exp(-(double)mean), perplexity.Value, 1e-6);
    }

    [Theory]
    [InlineData(10, 4, new[] { 4, 4, 2 })]
    [InlineData(9, 4, new[] { 4, 4 })]
    [InlineData(8, 4, new[] { 4, 4 })]
    [InlineData(3, 4, new[] { 3 })]
    [InlineData(1, 4, new int[0])]
    [InlineData(0, 4, new int[0])]
    public void Windows_follow_each_other_and_a_rest_of_one_token_is_left_out(int tokens, int window, int[] lengths)
    {
        int[] text = [.. Enumerable.Range(0, tokens)];
        ArraySegment<int>[] windows = [.. Perplexity.Windows(text, window)];
        Assert.Equal(lengths, windows.Select(w => w.Count));
        Assert.Equal(text.Take(lengths.Sum()), windows.SelectMany(w => w));
    }

    [Fact]
    public void Expert_shares_sum_what_ranks_of_all_stages_and_replicas_counted()
    {
        ExpertLoadReport[] ranks =
        [
            new(0, [[1, 3], [0, 0]]), new(0, [[2, 2], [0, 4]]), // Replicas of stage 0: layers 0 and 1.
            new(2, [[], [5, 5]]), new(2, [[], [0, 0]]), // Stage 1: layer 2 is dense.
        ];
        IReadOnlyList<IReadOnlyList<double>> shares = ExpertShares.Of(ranks, layers: 4);
        Assert.Equal([[3.0 / 8, 5.0 / 8], [0, 1], [], [0.5, 0.5]], shares);
    }

    [Fact]
    public void A_difference_of_shares_is_the_largest_and_unknown_where_shapes_differ()
    {
        Assert.Equal(0.2, ExpertShares.MaxDifference([[0.5, 0.5], [1, 0]], [[0.4, 0.6], [0.8, 0.2]])!.Value, 1e-12);
        Assert.Null(ExpertShares.MaxDifference([[0.5, 0.5]], [[1.0]]));
        Assert.Null(ExpertShares.MaxDifference([], []));
    }
}
