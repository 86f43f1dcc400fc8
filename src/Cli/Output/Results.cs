using Troupe.Actors.Client;
using Troupe.Actors.Protocols;

namespace Troupe.Cli.Output;

/// <summary>From a request's outcome to what is written about it.</summary>
internal static class Results
{
    /// <summary>Whether the request got what it asked for.</summary>
    public static bool IsGood(this RequestOutcome outcome) => outcome.FinishReason is "stop" or "length" or "scored";

    /// <summary>For JSON.</summary>
    public static RequestResult ToResult(this RequestOutcome outcome, string prompt) => new(
        outcome.Request.Id, prompt, [.. outcome.Ids], outcome.Text, outcome.FinishReason ?? "running", Round(outcome.Milliseconds.Queue),
        Round(outcome.Milliseconds.Prefill), Round(outcome.Milliseconds.Decode), Round(outcome.TokensPerSecond), Resumed: false,
        outcome.PromptIds, outcome.Replica, outcome.Error.Length > 0 ? outcome.Error : null);

    /// <summary>What went wrong with a request, in one line.</summary>
    public static string Problem(this RequestOutcome outcome) => outcome.FinishReason switch
    {
        "cancelled" => "cancelled",
        "timeout" => $"ran out of time after {outcome.Ids.Count} tokens{(outcome.Error.Length > 0 ? $": {outcome.Error}" : "")}",
        _ => outcome.Error,
    };

    /// <summary>Text where the model has a tokenizer, else ids.</summary>
    public static string TextOrIds(this RequestOutcome outcome) =>
        outcome.Text.Length > 0 || outcome.Ids.Count == 0 ? outcome.Text : string.Join(' ', outcome.Ids);

    /// <summary>One line about speed, for people.</summary>
    public static string Speed(this RequestOutcome outcome) =>
        $"{outcome.FinishReason}, {outcome.Ids.Count} tokens, first after "
            + $"{outcome.Milliseconds.Queue + outcome.Milliseconds.Prefill:0} ms, "
        + $"then {outcome.TokensPerSecond:0} tokens/s";

    private static double Round(double value) => double.IsFinite(value) ? Math.Round(value, 3) : 0;
}
