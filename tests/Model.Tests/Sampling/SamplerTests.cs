using System.Text.Json;
using Troupe.Model.Sampling;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Sampling;

public sealed class SamplerTests
{
    [Fact]
    public void Every_golden_distribution_is_met_and_drops_the_same_tokens()
    {
        string path = Repository.At("tests", "goldens", "sampling", "golden.json");
        int cases = 0;
        foreach (JsonElement golden in JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.GetProperty("cases").EnumerateArray())
        {
            float[] values = Floats(golden.GetProperty("logits"));
            int[] seen = [.. golden.GetProperty("seen").EnumerateArray().Select(e => e.GetInt32())];
            SamplingParameters parameters = Read(golden.GetProperty("parameters"));
            Assert.Null(parameters.Problem());
            Sampler.Probabilities(values, parameters, seen, new float[seen.Length]);
            JsonElement wanted = golden.GetProperty("probabilities");
            for (int id = 0; id < values.Length; id++)
            {
                bool kept = wanted.TryGetProperty(id.ToString(), out JsonElement probability);
                Assert.True(kept == values[id] > 0, $"{parameters}: token {id}: got {values[id]}, kept by the reference: {kept}");
                // The golden has six decimals.
                if (kept) Assert.Equal(probability.GetDouble(), values[id], 2e-6);
            }
            cases++;
        }
        Assert.True(cases >= 30, $"only {cases} cases");
    }

    [Fact]
    public void Probabilities_of_a_large_vocabulary_are_those_of_sorting()
    {
        Random random = Seed.For(nameof(Probabilities_of_a_large_vocabulary_are_those_of_sorting));
        for (int round = 0; round < 60; round++)
        {
            // Rounded, so that there are ties, at the cuts too.
            float[] logits = [.. Enumerable.Range(0, 3000).Select(_ => MathF.Round((float)(random.NextDouble() * 20 - 10), round % 3 + 1))];
            var parameters = new SamplingParameters
            {
                Temperature = (float)(0.2 + 2 * random.NextDouble()),
                TopK = random.Next(3) == 0 ? 0 : random.Next(1, 500),
                TopP = random.Next(3) == 0 ? 1 : (float)(0.01 + 0.98 * random.NextDouble()),
                MinP = random.Next(3) == 0 ? 0 : (float)(0.1 * random.NextDouble()),
            };
            double[] wanted = ByDefinition(logits, parameters);
            Sampler.Probabilities(logits, parameters);
            for (int id = 0; id < logits.Length; id++)
                Assert.True(Math.Abs(wanted[id] - logits[id]) < 1e-6, $"{parameters}: token {id}: wanted {wanted[id]}, got {logits[id]}");
        }
    }

    [Fact]
    public void A_draw_depends_on_seed_and_position_only_and_follows_the_probabilities()
    {
        float[] logits = [0, 1, -1, 2, 0.5f];
        var parameters = new SamplingParameters { TopK = 4 };
        float[] probabilities = [.. logits], scratch = new float[5];
        Sampler.Probabilities(probabilities, parameters);
        int[] counts = new int[5];
        const int draws = 40_000;
        int differ = 0;
        for (int position = 0; position < draws; position++)
        {
            int first = Draw(logits, parameters, 7, position, scratch);
            Assert.Equal(first, Draw(logits, parameters, 7, position, scratch));
            if (first != Draw(logits, parameters, 8, position, scratch)) differ++;
            counts[first]++;
        }
        Assert.Equal(0, counts[2]);
        Assert.True(differ > draws / 4, $"seeds 7 and 8 agreed in all but {differ} draws");
        // Five standard deviations of a count; the seed is fixed.
        for (int id = 0; id < 5; id++)
            Assert.InRange(counts[id], Expected(-5, probabilities[id]), Expected(5, probabilities[id]));

        static double Expected(double deviations, double p) => draws * p + deviations * Math.Sqrt(draws * p * (1 - p));
    }

    [Fact]
    public void Draws_do_not_look_at_what_was_drawn_before()
    {
        Random random = Seed.For(nameof(Draws_do_not_look_at_what_was_drawn_before));
        float[] logits = [.. Enumerable.Range(0, 100).Select(_ => (float)random.NextDouble() * 3)], scratch = new float[100];
        var parameters = new SamplingParameters { TopP = 0.9f };
        int[] forward = [.. Enumerable.Range(0, 50).Select(p => Draw(logits, parameters, 1, p, scratch))];
        int[] backward = [.. Enumerable.Range(0, 50).Reverse().Select(p => Draw(logits, parameters, 1, p, scratch)).Reverse()];
        Assert.Equal(forward, backward);
    }

    [Theory]
    [InlineData(new float[] { 1, 3, 3, 2 }, 1)]
    [InlineData(new float[] { -5 }, 0)]
    [InlineData(new float[] { -0f, 0f }, 0)]
    [InlineData(new float[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7 }, 18)]
    public void Greedy_is_the_largest_logit_and_the_lowest_id_of_several(float[] logits, int wanted)
    {
        Assert.Equal(wanted, Sampler.ArgMax(logits));
        Assert.Equal(wanted, Sampler.Sample([.. logits], SamplingParameters.Greedy, 1, 1));
        float[] probabilities = [.. logits];
        Sampler.Probabilities(probabilities, SamplingParameters.Greedy);
        Assert.Equal([.. Enumerable.Range(0, logits.Length).Select(id => id == wanted ? 1f : 0f)], probabilities);
    }

    [Fact]
    public void A_penalty_changes_what_greedy_takes_and_counts_each_seen_token_once()
    {
        var parameters = SamplingParameters.Greedy with { RepetitionPenalty = 2 };
        Assert.Equal(1, Sampler.Sample([4, 3, -1], parameters, 0, 0, [0, 0], new float[2]));
        // 4 / 2 = 2 stays above 1.5; twice penalized it would not.
        Assert.Equal(0, Sampler.Sample([4, 1.5f, -1], parameters, 0, 0, [0, 0, 0], new float[3]));
        Assert.Throws<ArgumentException>(() => Sampler.Sample(new float[3], parameters, 0, 0, [0, 1], new float[1]));
    }

    [Fact]
    public void Sampling_allocates_nothing()
    {
        Random random = Seed.For(nameof(Sampling_allocates_nothing));
        float[] logits = [.. Enumerable.Range(0, 4096).Select(_ => (float)random.NextDouble() * 10)], work = new float[4096];
        int[] seen = [.. Enumerable.Range(0, 300).Select(_ => random.Next(4096))], top = new int[8];
        double[] scores = new double[8];
        float[] scratch = new float[300];
        var parameters = new SamplingParameters { Temperature = 0.8f, TopK = 50, TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.1f };
        long sum = 0;
        void Round(int position)
        {
            logits.CopyTo(work.AsSpan());
            sum += Sampler.Sample(work, parameters, 5, position, seen, scratch) + Sampler.FirstNonFinite(logits);
            sum += Sampler.Sample(work, SamplingParameters.Greedy, 5, position);
            Scoring.Top(logits, top, scores);
        }

        Round(0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int position = 0; position < 20; position++) Round(position);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.NotEqual(0, sum);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void The_first_value_that_is_not_finite_is_found_wherever_it_stands(float bad)
    {
        for (int length = 1; length < 40; length++)
        {
            float[] values = [.. Enumerable.Repeat(float.MaxValue, length)];
            Assert.Equal(-1, Sampler.FirstNonFinite(values));
            for (int at = 0; at < length; at++)
            {
                float[] broken = [.. values];
                (broken[at], broken[^1]) = (bad, at == length - 1 ? bad : float.NaN);
                Assert.Equal(at, Sampler.FirstNonFinite(broken));
            }
        }
        Assert.Throws<ArgumentException>(() => Sampler.ArgMax([float.NaN, float.NaN]));
        Assert.Throws<ArgumentException>(() => Sampler.ArgMax([]));
    }

    [Theory]
    [InlineData(-1f, 0, 1f, 0f, 1f, "temperature must be 0 (greedy) or in [0.0001, 100], got -1")]
    [InlineData(float.NaN, 0, 1f, 0f, 1f, "temperature must be 0 (greedy) or in [0.0001, 100], got NaN")]
    [InlineData(1e-9f, 0, 1f, 0f, 1f, "temperature must be 0 (greedy) or in [0.0001, 100], got 1E-09")]
    [InlineData(1f, -1, 1f, 0f, 1f, "top_k must be 0 (all) or more, got -1")]
    [InlineData(1f, 0, 0f, 0f, 1f, "top_p must be in (0, 1], got 0")]
    [InlineData(1f, 0, 1.5f, 0f, 1f, "top_p must be in (0, 1], got 1.5")]
    [InlineData(1f, 0, 1f, -0.5f, 1f, "min_p must be in [0, 1], got -0.5")]
    [InlineData(1f, 0, 1f, 0f, 0f, "repetition_penalty must be in [0.01, 100], got 0")]
    [InlineData(0f, 0, 1f, 1f, 1f, null)]
    public void Parameters_out_of_range_are_named_with_their_bounds(float t, int k, float p, float m, float r, string? wanted) =>
        Assert.Equal(wanted, new SamplingParameters { Temperature = t, TopK = k, TopP = p, MinP = m, RepetitionPenalty = r }.Problem());

    private static int Draw(float[] logits, SamplingParameters parameters, ulong seed, int position, float[] scratch)
    {
        logits.CopyTo(scratch.AsSpan());
        return Sampler.Sample(scratch, parameters, seed, position);
    }

    private static double[] ByDefinition(float[] logits, SamplingParameters parameters)
    {
        double[] scaled = [.. logits.Select(logit => (double)logit / parameters.Temperature)];
        double cut = parameters.TopK > 0 ? scaled.OrderDescending().ElementAt(parameters.TopK - 1) : double.NegativeInfinity;
        double max = scaled.Max();
        double[] weights = Normalized([.. scaled.Select(x => x >= cut ? Math.Exp(x - max) : 0)]);
        if (parameters.TopP < 1)
        {
            var levels = weights.GroupBy(w => w).OrderByDescending(level => level.Key).ToArray();
            var kept = new HashSet<double>();
            double before = 0;
            for (int i = 0; i < levels.Length && before < parameters.TopP; before += levels[i++].Sum()) kept.Add(levels[i].Key);
            weights = Normalized([.. weights.Select(w => kept.Contains(w) ? w : 0)]);
        }
        double least = parameters.MinP * weights.Max();
        return Normalized([.. weights.Select(w => w >= least ? w : 0)]);
    }

    private static double[] Normalized(double[] weights)
    {
        double sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }

    private static float[] Floats(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetSingle())];

    private static SamplingParameters Read(JsonElement json)
    {
        float Number(string key, float fallback) => json.TryGetProperty(key, out JsonElement value) ? value.GetSingle() : fallback;
        return new SamplingParameters
        {
            Temperature = Number("temperature", 1),
            TopK = (int)Number("top_k", 0),
            TopP = Number("top_p", 1),
            MinP = Number("min_p", 0),
            RepetitionPenalty = Number("repetition_penalty", 1),
        };
    }
}
