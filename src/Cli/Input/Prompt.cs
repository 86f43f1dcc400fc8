using Troupe.Actors.Protocols;
using Troupe.Cli.Options;

namespace Troupe.Cli.Input;

/// <summary>A prompt and where it came from, for messages: <c>prompts.jsonl line 3</c>. What is null is as the command line says.</summary>
internal sealed record Prompt(string Where, string Text)
{
    /// <summary>Tokens to generate at most.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>How tokens are drawn.</summary>
    public SamplingSpec? Sampling { get; init; }

    /// <summary>Texts to stop before.</summary>
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Whether to go on past the end-of-text token.</summary>
    public bool? IgnoreEos { get; init; }

    /// <summary>The ids of the text, where it is not for the scheduler to encode it.</summary>
    public IReadOnlyList<int>? Ids { get; init; }

    /// <summary>The request for it.</summary>
    public RequestSpec ToRequest(GenerationSettings settings) => new(
        NewId(), Ids is null ? Text : null, Ids ?? [], MaxTokens ?? settings.MaxTokens,
        Sampling ?? settings.Sampling, Stop ?? settings.Stop, IgnoreEos ?? settings.IgnoreEos, SequenceMode.Generate);

    /// <summary>An id that no other request has.</summary>
    public static string NewId() => $"r-{Guid.NewGuid().ToString("N")[..12]}";
}
