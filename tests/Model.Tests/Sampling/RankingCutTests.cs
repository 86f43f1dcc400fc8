using Troupe.Model.Sampling;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Sampling;

public sealed class RankingCutTests
{
    [Fact]
    public void The_kth_largest_is_that_of_sorting_on_both_sides_of_the_short_list()
    {
        Random random = Seed.For(nameof(The_kth_largest_is_that_of_sorting_on_both_sides_of_the_short_list));
        float[] special = [0f, -0f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, 1e-30f, -1e-30f];
        for (int round = 0; round < 20; round++)
        {
            float[] values = [.. special, .. Enumerable.Range(0, 700).Select(_ => MathF.Round(random.NextSingle() * 40 - 20, round % 4))];
            random.Shuffle(values);
            float[] sorted = [.. values.OrderDescending()];
            int[] ks = [1, 2, RankingCut.ShortList, RankingCut.ShortList + 1, values.Length - 1, values.Length, random.Next(1, 700)];
            foreach (int k in ks)
            {
                Assert.Equal(sorted[k - 1], RankingCut.TopK(values, k));
                Assert.Equal(sorted[k - 1], RankingCut.Lowest(values, [], k, float.NegativeInfinity));
            }
        }
    }

    [Fact]
    public void A_share_keeps_the_fewest_of_the_largest_that_reach_it()
    {
        Assert.Equal(5, RankingCut.TopShare([1, 5, 3, 1], 10, 0.5));
        Assert.Equal(3, RankingCut.TopShare([1, 5, 3, 1], 10, 0.51));
        Assert.Equal(3, RankingCut.TopShare([1, 5, 3, 1], 10, 0.8));
        Assert.Equal(1, RankingCut.TopShare([1, 5, 3, 1], 10, 0.81));
        // All equal: there is no smaller set that does not depend on the order.
        Assert.Equal(2, RankingCut.TopShare([2, 2, 2, 2], 8, 0.1));
        Assert.Equal(7, RankingCut.TopShare([0, 7, 0], 7, 0.99));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(1000)]
    public void Weights_are_the_exponentials_and_hopeless_tokens_weigh_nothing(int count)
    {
        Random random = Seed.For(nameof(Weights_are_the_exponentials_and_hopeless_tokens_weigh_nothing));
        float[] logits = [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 30 - 10)], weights = [.. logits];
        logits[0] = weights[0] = -1e30f;
        double sum = Exponentials.Weigh(weights, max: 20, temperature: 0.7f, lowest: -5);
        for (int i = 0; i < count; i++)
            Assert.Equal(logits[i] < -5 ? 0 : Math.Exp((logits[i] - 20.0) / 0.7f), weights[i], 1e-6);
        Assert.Equal(weights.Sum(weight => (double)weight), sum, 1e-9 * count);
        Assert.Equal(0, Exponentials.Weigh([-1e30f], max: 20, temperature: 1, lowest: float.NegativeInfinity));
    }
}
