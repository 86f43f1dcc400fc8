using System.Text.Json;
using Troupe.Model.Sampling;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Sampling;

public sealed class ScoringTests
{
    /// <summary>The known answers of the authors' Random123 library (kat_vectors: philox4x32 10).</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u,
        0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Philox_gives_the_published_answers(
        uint a, uint b, uint c, uint d, uint keyA, uint keyB, uint w, uint x, uint y, uint z) =>
        Assert.Equal((w, x, y, z), CounterRandom.Philox((a, b, c, d), (keyA, keyB)));

    [Fact]
    public void Random_numbers_lie_in_the_unit_interval_and_differ_by_seed_and_position()
    {
        var drawn = new HashSet<double>();
        for (ulong seed = 0; seed < 40; seed++)
            for (int position = 0; position < 40; position++)
            {
                double number = CounterRandom.Uniform(seed << 31, position);
                Assert.InRange(number, 0, 1 - 1e-16);
                Assert.True(drawn.Add(number), $"seed {seed << 31}, position {position}: {number} came before");
            }
        Assert.InRange(drawn.Average(), 0.45, 0.55);
    }

    [Theory]
    [InlineData("qwen3")]
    [InlineData("qwen3-moe")]
    [InlineData("qwen3-moe-mixed")]
    public void Top_tokens_and_their_scores_are_those_of_the_reference(string model)
    {
        byte[] json = File.ReadAllBytes(Repository.At("tests", "goldens", "models", model, "golden.json"));
        JsonElement golden = JsonDocument.Parse(json).RootElement;
        foreach (JsonElement entry in golden.GetProperty("cases").EnumerateArray())
        {
            float[] logits = [.. entry.GetProperty("last_logits").EnumerateArray().Select(e => e.GetSingle())];
            int[] wanted = [.. entry.GetProperty("top8_ids").EnumerateArray().Last().EnumerateArray().Select(e => e.GetInt32())];
            double[] scores = [.. entry.GetProperty("top8_logprobs").EnumerateArray().Last().EnumerateArray().Select(e => e.GetDouble())];
            int[] ids = new int[8];
            double[] got = new double[8];
            Scoring.Top(logits, ids, got);
            Assert.Equal(wanted, ids);
            for (int i = 0; i < 8; i++)
            {
                // The golden has a few decimals only.
                Assert.Equal(scores[i], got[i], 1e-4);
                Assert.Equal(got[i], Scoring.LogProbability(logits, ids[i]));
            }
        }
    }

    [Fact]
    public void Scores_stay_right_for_huge_and_for_many_equal_logits()
    {
        Assert.Equal(0, Scoring.LogProbability([1e30f, 0, -1e30f], 0));
        Assert.Equal(-Math.Log(100_000), Scoring.LogProbability(new float[100_000], 77), 1e-9);
        int[] ids = new int[3];
        Scoring.Top([1, 2, 2, 1, 2, 2], ids, new double[3]);
        Assert.Equal([1, 2, 4], ids);
        Scoring.Top([1, 2], [], []);
    }

    [Fact]
    public void Ids_and_lengths_that_do_not_fit_are_refused()
    {
        var outside = Assert.Throws<ArgumentOutOfRangeException>(() => Scoring.LogProbability(new float[3], 3));
        Assert.Contains("id must be in [0, 3), got 3", outside.Message);
        Assert.Throws<ArgumentException>(() => Scoring.Top(new float[3], new int[2], new double[3]));
        Assert.Throws<ArgumentException>(() => Scoring.Top(new float[3], new int[4], new double[4]));
    }
}
