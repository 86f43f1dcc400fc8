using System.Text;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Client;

/// <summary>
/// A request as its client sees it, filled while it runs; complete once <see cref="FinishReason"/> is set. Times are in milliseconds.
/// </summary>
public sealed class RequestOutcome(RequestSpec request)
{
    private readonly StringBuilder _text = new();

    /// <summary>What was asked for.</summary>
    public RequestSpec Request { get; } = request;

    /// <summary>The replica that took it, or -1.</summary>
    public int Replica { get; internal set; } = -1;

    /// <summary>The prompt's tokens, as its scheduler encoded them.</summary>
    public IReadOnlyList<int> PromptIds { get; internal set; } = [];

    /// <summary>Tokens drawn.</summary>
    public List<int> Ids { get; } = [];

    /// <summary>Their text.</summary>
    public string Text => _text.ToString();

    /// <summary>Why it ended: see <see cref="RequestEnded"/>; null while it runs.</summary>
    public string? FinishReason { get; private set; }

    /// <summary>One line, where the reason is <c>error</c> or <c>refused</c>.</summary>
    public string Error { get; private set; } = "";

    /// <summary>From submission to a slot, from there to the first token, and from there to the end.</summary>
    public (double Queue, double Prefill, double Decode) Milliseconds { get; private set; }

    /// <summary>Decoded tokens a second, the first not counted: it is prefill's.</summary>
    public double TokensPerSecond => Milliseconds.Decode > 0 && Ids.Count > 1 ? (Ids.Count - 1) * 1000.0 / Milliseconds.Decode : 0;

    /// <summary>Log-probabilities of the prompt's tokens from the second on, where the request was scored.</summary>
    public List<float> LogProbs { get; } = [];

    /// <summary>Eight best ids and their log-probabilities for each prompt position, where the request was a probe.</summary>
    public (List<int> Ids, List<float> LogProbs) Top { get; } = ([], []);

    /// <summary>Logits after the prompt, where the request was a probe.</summary>
    public List<float> Logits { get; } = [];

    internal void Add(TokenChunk chunk)
    {
        Ids.AddRange(chunk.Ids);
        _text.Append(chunk.Text);
    }

    internal void Add(ScoreChunk chunk)
    {
        LogProbs.AddRange(chunk.Scores.LogProbs);
        Top.Ids.AddRange(chunk.Scores.TopIds);
        Top.LogProbs.AddRange(chunk.Scores.TopLogProbs);
    }

    internal void Add(LogitsChunk chunk)
    {
        if (chunk.Offset == Logits.Count) Logits.AddRange(chunk.Values);
    }

    internal void End(string reason, string error, double queueMs, double prefillMs, double decodeMs)
    {
        if (FinishReason is not null) return;
        (FinishReason, Error, Milliseconds) = (reason, error, (queueMs, prefillMs, decodeMs));
    }
}
