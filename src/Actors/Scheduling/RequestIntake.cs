using System.Text;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Model.Checkpoints;
using Troupe.Model.Sampling;
using Troupe.Model.Tokenizer;

namespace Troupe.Actors.Scheduling;

/// <summary>Bounds on one request, wherever it comes from.</summary>
/// <param name="PromptBytes">The longest prompt text in UTF-8.</param>
/// <param name="MaxTokens">The most tokens that may be asked for.</param>
public sealed record RequestLimits(int PromptBytes, int MaxTokens);

/// <summary>Turns what a client asked for into a sequence, or says in one line why not. Pure but for the tokenizer's cache.</summary>
public sealed class RequestIntake(ModelConfig model, BpeTokenizer? tokenizer, int context, RequestLimits limits)
{
    /// <summary>A sequence ready to queue and its text, or an error.</summary>
    public (Sequence? Sequence, RequestText? Text, string Error) Take(RequestSpec request, string clientId, IActorRef client, long now)
    {
        if (Problem(request) is { } problem) return (null, null, problem);
        int[] ids;
        RequestText text;
        try
        {
            ids = request.Prompt is { } prompt ? Encode(prompt) : [.. request.Ids];
            text = new RequestText(tokenizer, [.. request.Stop]);
        }
        catch (ModelException e)
        {
            return (null, null, e.Message);
        }
        if (ids.Length == 0) return (null, null, "the prompt is empty: give at least one token");
        int needed = request.Mode == SequenceMode.Score ? 0 : 1;
        if (ids.Length + needed > context)
            return (null, null, $"the prompt has {ids.Length} tokens, the model's context holds {context}; shorten the prompt");
        if (ids.FirstOrDefault(id => (uint)id >= (uint)model.VocabSize, -1) is var bad and not -1)
            return (null, null, $"token {bad} is not in the vocabulary: ids must be in [0, {model.VocabSize})");
        // The context's end bounds what can be generated; a request that reaches it ends with reason length.
        RequestSpec bounded = request with { MaxTokens = Math.Min(request.MaxTokens, context - ids.Length) };
        return (new Sequence(bounded, clientId, client, ids, now), text, "");
    }

    private string? Problem(RequestSpec request)
    {
        if (request.Mode != SequenceMode.Score && request.MaxTokens < 1) return $"max tokens must be at least 1, got {request.MaxTokens}";
        if (request.MaxTokens > limits.MaxTokens) return $"max tokens must be at most {limits.MaxTokens}, got {request.MaxTokens}";
        if (request.Prompt is { } prompt && Encoding.UTF8.GetByteCount(prompt) is var bytes && bytes > limits.PromptBytes)
            return $"the prompt has {bytes} bytes, at most {limits.PromptBytes} are taken (troupe.limits.prompt-bytes); shorten it";
        return Parameters(request.Sampling).Problem();
    }

    private int[] Encode(string prompt) => tokenizer is null
        ? throw new ModelException("the model has no tokenizer.json: give the prompt as token ids")
        : tokenizer.Encode(prompt);

    internal static SamplingParameters Parameters(SamplingSpec spec) => new()
    {
        Temperature = spec.Temperature,
        TopK = spec.TopK,
        TopP = spec.TopP,
        MinP = spec.MinP,
        RepetitionPenalty = spec.RepetitionPenalty,
        Seed = spec.Seed,
    };
}
