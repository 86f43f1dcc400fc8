namespace Troupe.Cli.Measures;

/// <summary>
/// What verify prints. <paramref name="Compared"/> says what there was to compare: a difference over nothing is 0.
/// </summary>
internal sealed record VerifyResult(
    int Cases, double MaxAbsLogitDiff, double MaxAbsLogprobDiff, bool GreedyMatch, string? FirstDifference, double Tolerance, bool Passed,
    IReadOnlyList<string> Compared);

/// <summary>What a model answered to a golden's prompt; see <see cref="GoldenCase"/> for the shapes, tops flat: [S x 8].</summary>
internal sealed record ProbeAnswer(
    IReadOnlyList<float> Logits, IReadOnlyList<int> TopIds, IReadOnlyList<float> TopLogProbs, IReadOnlyList<int> Greedy,
        IReadOnlyList<int> PromptIds, string Text);

/// <summary>Compares answers with goldens, one after the other, and keeps the largest differences and the first one that matters.</summary>
internal sealed class GoldenComparison(double tolerance)
{
    private const int Top = 8;
    private readonly SortedSet<string> _compared = new(StringComparer.Ordinal);
    private int _cases;
    private double _logits, _logProbs;
    private bool _greedy = true;
    private string? _first;

    /// <summary>The result over all cases so far.</summary>
    public VerifyResult Result => new(_cases, _logits, _logProbs, _greedy, _first, tolerance,
        _greedy && _first is null && _logits <= tolerance && _logProbs <= tolerance, [.. _compared]);

    /// <summary>Compares one case.</summary>
    public void Add(GoldenCase golden, ProbeAnswer got)
    {
        string where = $"case {_cases} (prompt of {golden.Prompt.Count} tokens)";
        _cases++;
        if (golden.PromptText is not null) CompareIds(golden.Prompt, got.PromptIds, where, "prompt token");
        if (golden.LastLogits.Count > 0) CompareLogits(golden.LastLogits, got.Logits, where);
        if (golden.TopIds.Count > 0) CompareTops(golden, got, where);
        _compared.Add("greedy");
        if (!CompareIds(golden.Greedy, got.Greedy, where, "greedy token")) _greedy = false;
        else if (golden.GreedyText is { } text && text != got.Text) Differs($"{where}: the greedy tokens are equal, but their text is not");
    }

    private bool CompareIds(IReadOnlyList<int> want, IReadOnlyList<int> got, string where, string what)
    {
        int at = 0;
        while (at < want.Count && at < got.Count && want[at] == got[at]) at++;
        if (at == want.Count && at == got.Count) return true;
        string is_ = at < got.Count ? $"{got[at]}" : "missing";
        Differs($"{where}: {what} {at} is {is_}, wanted {(at < want.Count ? $"{want[at]}" : $"none after {want.Count}")}");
        return false;
    }

    private void CompareLogits(IReadOnlyList<double> want, IReadOnlyList<float> got, string where)
    {
        _compared.Add("logits");
        if (!SameCount(want.Count, got.Count, where, "logits")) _logits = double.MaxValue;
        for (int i = 0; i < Math.Min(want.Count, got.Count); i++)
            Note(ref _logits, Math.Abs(want[i] - got[i]), () => $"{where}: logit {i} is {got[i]:G7}, wanted {want[i]:G7}");
    }

    private void CompareTops(GoldenCase golden, ProbeAnswer got, string where)
    {
        _compared.Add("logprobs");
        if (!SameCount(golden.TopIds.Sum(p => p.Count), got.TopIds.Count, where, "top log-probabilities"))
        {
            _logProbs = double.MaxValue;
            return;
        }
        for (int position = 0; position < golden.TopIds.Count; position++)
        {
            double difference = TopDifference(golden.TopIds[position], golden.TopLogProbs[position],
                [.. got.TopIds.Skip(position * Top).Take(Top)], [.. got.TopLogProbs.Skip(position * Top).Take(Top)]);
            Note(ref _logProbs, difference, () => $"{where}: log-probabilities at position {position} differ by {difference:G4}");
        }
    }

    /// <summary>
    /// The largest difference of log-probabilities of the same id. Of an id that only one side lists the other knows that it is below its
    /// last: so ids that are tied at the end of the list may change places.
    /// </summary>
    internal static double TopDifference(IReadOnlyList<int> wantIds, IReadOnlyList<double> want, int[] gotIds, float[] got)
    {
        double worst = 0, lastWanted = want.Min(), lastGot = got.Min();
        for (int i = 0; i < wantIds.Count; i++)
        {
            int at = Array.IndexOf(gotIds, wantIds[i]);
            worst = Math.Max(worst, at >= 0 ? Math.Abs(want[i] - got[at]) : want[i] - lastGot);
        }
        for (int i = 0; i < gotIds.Length; i++)
            if (!wantIds.Contains(gotIds[i])) worst = Math.Max(worst, got[i] - lastWanted);
        return double.IsNaN(worst) || got.Any(float.IsNaN) ? double.MaxValue : worst;
    }

    private bool SameCount(int want, int got, string where, string what)
    {
        if (want != got) Differs($"{where}: {got} {what}, wanted {want}");
        return want == got;
    }

    private void Note(ref double worst, double difference, Func<string> describe)
    {
        // Not a number is the largest difference that JSON can say.
        if (double.IsNaN(difference)) difference = double.MaxValue;
        if (difference > tolerance) Differs(describe());
        worst = Math.Max(worst, difference);
    }

    private void Differs(string what) => _first ??= what;
}
