using System.CommandLine;
using Troupe.Actors.Protocols;

namespace Troupe.Cli.Options;

/// <summary>How much is generated, and how tokens are drawn.</summary>
internal sealed record GenerationSettings(int MaxTokens, SamplingSpec Sampling, IReadOnlyList<string> Stop, bool IgnoreEos);

/// <summary>Options for <see cref="GenerationSettings"/>; the ranges are those of Troupe.Model.Sampling.</summary>
/// <param name="maxTokens">The verb's default of --max-tokens.</param>
/// <param name="temperature">Its default of --temperature.</param>
internal sealed class SamplingOptions(int maxTokens = SamplingOptions.DefaultMaxTokens, double temperature = 0) : IOptions
{
    /// <summary>Tokens that a request gets unless it says otherwise.</summary>
    public const int DefaultMaxTokens = 64;

    private readonly Option<int> _maxTokens = Opt.Int("--max-tokens", "Tokens to generate at most", 1, int.MaxValue, maxTokens);
    private readonly Option<double> _temperature = Opt.Number("--temperature",
        "0 takes the most likely token, higher is more varied", temperature, "0 (greedy) or in [0.0001, 100]", x => x
            is 0 or (>= 1e-4 and <= 100));
    private readonly Option<int> _topK = Opt.Int("--top-k", "Draw from the N most likely tokens; 0 for all", 0, int.MaxValue, 0);
    private readonly Option<double> _topP = Opt.Number("--top-p",
        "Draw from the most likely tokens that sum to X", 1, "in (0, 1]", x => x is > 0 and <= 1);
    private readonly Option<double> _minP = Opt.Number("--min-p",
        "Drop tokens less likely than X times the most likely", 0, "in [0, 1]", x => x is >= 0 and <= 1);
    private readonly Option<double> _repetitionPenalty = Opt.Number("--repetition-penalty",
        "Above 1 makes tokens that were seen less likely", 1, "in [0.01, 100]", x => x is >= 0.01 and <= 100);
    private readonly Option<ulong> _seed = Opt.Seed("--seed", "Seed of the draws: the same seed gives the same text");
    private readonly Option<string[]> _stop = Opt.Texts("--stop", "TEXT", "Stop before this text; may be given several times");
    private readonly Option<bool> _ignoreEos = Opt.Switch("--ignore-eos", "Go on past the model's end-of-text token");

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("Generation",
        [_maxTokens, _temperature, _topK, _topP, _minP, _repetitionPenalty, _seed, _stop, _ignoreEos]);

    /// <summary>The settings that were given.</summary>
    public GenerationSettings Read(ParseResult parsed)
    {
        string[] stop = parsed.GetValue(_stop) ?? [];
        if (stop.Contains("", StringComparer.Ordinal))
            throw new UsageException("--stop must not be empty: every text holds the empty text");
        var sampling = new SamplingSpec((float)parsed.GetValue(_temperature), parsed.GetValue(_topK), (float)parsed.GetValue(_topP),
            (float)parsed.GetValue(_minP), (float)parsed.GetValue(_repetitionPenalty), parsed.GetValue(_seed));
        return new GenerationSettings(parsed.GetValue(_maxTokens), sampling, stop, parsed.GetValue(_ignoreEos));
    }
}
