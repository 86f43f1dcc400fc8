using Troupe.Cli.Measures;
using Xunit;

namespace Troupe.Cli.Tests.Results;

public sealed class GoldenComparisonTests
{
    private const double Tolerance = 1e-3;
    private static readonly int[] s_ids = [10, 11, 12, 13, 14, 15, 16, 17];
    private static readonly double[] s_logProbs = [-0.5, -1, -1.5, -2, -2.5, -3, -3.5, -4];

    private static GoldenCase Golden => new([1, 2], [0.25, -1.5, 3], [s_ids, s_ids], [s_logProbs, s_logProbs], [7, 8, 9], null, null);

    private static ProbeAnswer Answer =>
        new([0.25f, -1.5f, 3f], [.. s_ids, .. s_ids], [.. Floats(s_logProbs), .. Floats(s_logProbs)], [7, 8, 9], [1, 2], "");

    private static IEnumerable<float> Floats(IEnumerable<double> values) => values.Select(v => (float)v);

    private static VerifyResult Compare(GoldenCase golden, ProbeAnswer answer)
    {
        var comparison = new GoldenComparison(Tolerance);
        comparison.Add(golden, answer);
        return comparison.Result;
    }

    [Fact]
    public void Equal_answers_pass()
    {
        VerifyResult result = Compare(Golden, Answer);
        Assert.True(result.Passed);
        Assert.Equal((1, 0.0, 0.0, true, null),
            (result.Cases, result.MaxAbsLogitDiff, result.MaxAbsLogprobDiff, result.GreedyMatch, result.FirstDifference));
        Assert.Equal(["greedy", "logits", "logprobs"], result.Compared);
    }

    [Fact]
    public void The_largest_difference_of_a_logit_is_reported_and_within_the_tolerance_passes()
    {
        VerifyResult result = Compare(Golden, Answer with { Logits = [0.25f, -1.5f, 3.0005f] });
        Assert.True(result.Passed);
        Assert.Equal(5e-4, result.MaxAbsLogitDiff, 1e-6);
    }

    [Fact]
    public void A_logit_beyond_the_tolerance_is_named()
    {
        VerifyResult result = Compare(Golden, Answer with { Logits = [0.25f, -1.25f, 3f] });
        Assert.False(result.Passed);
        Assert.Equal(0.25, result.MaxAbsLogitDiff, 1e-9);
        Assert.Contains("case 0 (prompt of 2 tokens): logit 1 is -1.25, wanted -1.5", result.FirstDifference, StringComparison.Ordinal);
    }

    [Fact]
    public void A_greedy_token_that_differs_fails_whatever_the_logits_say()
    {
        VerifyResult result = Compare(Golden, Answer with { Greedy = [7, 5, 9] });
        Assert.False(result.GreedyMatch);
        Assert.False(result.Passed);
        Assert.Contains("greedy token 1 is 5, wanted 8", result.FirstDifference, StringComparison.Ordinal);
    }

    [Fact]
    public void A_greedy_token_too_few_or_too_many_fails()
    {
        Assert.Contains("greedy token 2 is missing, wanted 9", Compare(Golden, Answer with { Greedy = [7, 8] }).FirstDifference,
            StringComparison.Ordinal);
        Assert.Contains("greedy token 3 is 1, wanted none after 3", Compare(Golden, Answer with { Greedy = [7, 8, 9, 1] }).FirstDifference,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_of_the_top_that_change_places_do_not_matter()
    {
        int[] swapped = [11, 10, .. s_ids[2..]];
        float[] logProbs = [-1, -0.5f, .. Floats(s_logProbs[2..])];
        Assert.True(Compare(Golden,
            Answer with { TopIds = [.. swapped, .. s_ids], TopLogProbs = [.. logProbs, .. Floats(s_logProbs)] }).Passed);
    }

    [Fact]
    public void Of_ids_that_are_tied_at_the_end_of_the_top_either_may_be_listed()
    {
        int[] other = [.. s_ids[..7], 99];
        VerifyResult result = Compare(Golden, Answer with { TopIds = [.. other, .. s_ids] });
        Assert.True(result.Passed, result.FirstDifference);
    }

    [Fact]
    public void An_id_that_only_one_side_lists_counts_as_far_as_it_is_above_the_others_last()
    {
        // 99 is at -3 here, but the golden's list ends at -4 without it: it must be at -4 or below there.
        int[] ids = [10, 11, 12, 13, 14, 99, 15, 16];
        float[] logProbs = [-0.5f, -1, -1.5f, -2, -2.5f, -3, -3, -3.5f];
        VerifyResult result =
            Compare(Golden, Answer with { TopIds = [.. ids, .. s_ids], TopLogProbs = [.. logProbs, .. Floats(s_logProbs)] });
        Assert.Equal(1, result.MaxAbsLogprobDiff, 1e-6);
        Assert.False(result.Passed);
    }

    [Fact]
    public void Missing_logits_or_log_probabilities_fail()
    {
        Assert.Contains("2 logits, wanted 3", Compare(Golden, Answer with { Logits = [0.25f, -1.5f] }).FirstDifference,
            StringComparison.Ordinal);
        Assert.Contains("8 top log-probabilities, wanted 16",
            Compare(Golden, Answer with { TopIds = s_ids, TopLogProbs = [.. Floats(s_logProbs)] }).FirstDifference,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Not_a_number_fails()
    {
        Assert.False(Compare(Golden, Answer with { Logits = [0.25f, float.NaN, 3f] }).Passed);
        Assert.False(Compare(Golden, Answer with { TopLogProbs = [float.NaN, .. Floats(s_logProbs[1..]), .. Floats(s_logProbs)] }).Passed);
    }

    [Fact]
    public void Where_only_greedy_tokens_are_known_their_text_and_the_prompt_are_compared_too()
    {
        var golden = new GoldenCase([1, 2], [], [], [], [7, 8, 9], "prompt", "text");
        ProbeAnswer answer = new([], [], [], [7, 8, 9], [1, 2], "text");
        Assert.True(Compare(golden, answer).Passed);
        Assert.Contains("their text is not", Compare(golden, answer with { Text = "other" }).FirstDifference, StringComparison.Ordinal);
        Assert.Contains("prompt token 1 is 3, wanted 2", Compare(golden, answer with { PromptIds = [1, 3] }).FirstDifference,
            StringComparison.Ordinal);
    }
}
