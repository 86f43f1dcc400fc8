namespace Troupe.Cli.Measures;

/// <summary>What bench generate prints. Step breakdown: microseconds of one decode step by part.</summary>
internal sealed record BenchResult(
    double PrefillTokensPerSecond, double DecodeTokensPerSecond, int Sequences, int Ranks, int Threads, string Weights, long PeakRssBytes,
        double LoadSeconds,
    double ReadBandwidthBytesPerSecond, long WeightBytesPerToken, IReadOnlyDictionary<string, double> StepBreakdownUs, string Model,
        string Layout, string Fabric,
    int PromptTokens, int MaxTokens, double FirstTokenMs, double MemoryBoundTokensPerSecond)
{
    /// <summary>From a scheduler's offer to its plan's arrival, the median of the planned steps; null where there was none.</summary>
    public double? MetadataRoundUs { get; init; }

    /// <summary>See <see cref="StepTotals.ExpertImbalance"/>: of the decode steps.</summary>
    public double? ExpertImbalance { get; init; }

    /// <summary>See <see cref="StepTotals.WeightBytesPerToken"/>: of the decode steps, whose rows share what they read.</summary>
    public double? BatchWeightBytesPerToken { get; init; }
}

/// <summary>
/// Splits a batch that starts at once into prefill, until each request has its first token, and decode, from there to the end. Tokens that
/// come before the last prompt is done count for neither: they share their steps with prompts.
/// </summary>
internal sealed class GenerationClock(int sequences, TimeProvider clock)
{
    private readonly int[] _tokens = new int[sequences];
    private readonly long _started = clock.GetTimestamp();
    private long _prefilled, _last;
    private int _early;

    /// <summary>Seconds until each request has its first token.</summary>
    public double PrefillSeconds => clock.GetElapsedTime(_started, _prefilled).TotalSeconds;

    /// <summary>Seconds from there to the last token.</summary>
    public double DecodeSeconds => clock.GetElapsedTime(_prefilled, _last).TotalSeconds;

    /// <summary>Tokens that came in this time.</summary>
    public int DecodedTokens => _tokens.Sum() - _early;

    /// <summary>Takes in how many tokens a request has by now.</summary>
    public void On(int index, int tokens)
    {
        if (tokens == _tokens[index]) return;
        _tokens[index] = tokens;
        _last = clock.GetTimestamp();
        if (_prefilled != 0 || _tokens.Contains(0)) return;
        _prefilled = _last;
        _early = _tokens.Sum();
    }
}
