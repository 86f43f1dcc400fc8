using System.Globalization;

namespace Troupe.Model.Sampling;

/// <summary>
/// How a request draws its tokens. The defaults leave the model's distribution as it is; check <see cref="Problem"/> before use.
/// </summary>
public sealed record SamplingParameters
{
    /// <summary>Always the most likely token, the lowest id of several.</summary>
    public static SamplingParameters Greedy { get; } = new() { Temperature = 0 };

    /// <summary>Divides the logits: below 1 sharper, above 1 flatter; 0 is greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the k most likely tokens, and those as likely as the last of them; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the most likely tokens until their probabilities sum to this, and those as likely as the last; 1 keeps all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Drops tokens whose probability is below this share of the most likely one's; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive logits of tokens that have been seen and multiplies negative ones; 1 does nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Which random numbers to draw; null leaves the choice to whoever starts the request.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Whether the most likely token is taken without a draw.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>What is wrong with these numbers, or null.</summary>
    public string? Problem() => this switch
    {
        { Temperature: not (0 or (>= 1e-4f and <= 100)) } => Text($"temperature must be 0 (greedy) or in [0.0001, 100], got {Temperature}"),
        { TopK: < 0 } => Text($"top_k must be 0 (all) or more, got {TopK}"),
        { TopP: not (> 0 and <= 1) } => Text($"top_p must be in (0, 1], got {TopP}"),
        { MinP: not (>= 0 and <= 1) } => Text($"min_p must be in [0, 1], got {MinP}"),
        { RepetitionPenalty: not (>= 0.01f and <= 100) } => Text($"repetition_penalty must be in [0.01, 100], got {RepetitionPenalty}"),
        _ => null,
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
