using System.Text.Json;
using System.Text.Unicode;
using Troupe.Actors.Protocols;
using Troupe.Cli.Options;
using Troupe.Model.Sampling;

namespace Troupe.Cli.Input;

/// <summary>One line of a file of prompts: a JSON string, or an object <c>{"prompt": "...", "max_tokens": 20, ...}</c>.</summary>
internal static class PromptLine
{
    private const string Keys = "prompt, max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, seed, stop, ignore_eos";

    /// <summary>The prompt of a line.</summary>
    /// <exception cref="FailedException">The line is none; the message begins with <paramref name="where"/>.</exception>
    public static Prompt Parse(byte[] line, string where, GenerationSettings settings)
    {
        if (!Utf8.IsValid(line)) throw new FailedException($"{where}: not valid UTF-8");
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            Prompt prompt = document.RootElement.ValueKind switch
            {
                JsonValueKind.String => new Prompt(where, document.RootElement.GetString()!),
                JsonValueKind.Object => FromObject(document.RootElement, where, settings),
                _ => throw new FailedException(
                    $"{where}: a JSON string or an object with prompt is wanted, got {Kind(document.RootElement)}"),
            };
            return prompt.Text.Length > 0 ? prompt : throw new FailedException($"{where}: the prompt is empty");
        }
        catch (JsonException)
        {
            throw new FailedException($"{where}: not valid JSON: write the prompt as a string in double quotes");
        }
        catch (InvalidOperationException)
        {
            // The reader refuses to make a string of half a surrogate pair.
            throw new FailedException($"{where}: an escape that is half a character");
        }
    }

    private static Prompt FromObject(JsonElement line, string where, GenerationSettings settings)
    {
        string? text = null;
        var prompt = new Prompt(where, "");
        SamplingSpec sampling = settings.Sampling;
        foreach (JsonProperty property in line.EnumerateObject())
        {
            JsonElement value = property.Value;
            string key = $"{where}: {property.Name}";
            if (property.NameEquals("prompt")) text = Text(value, key);
            else if (property.NameEquals("max_tokens")) prompt = prompt with { MaxTokens = Whole(value, key, 1) };
            else if (property.NameEquals("temperature")) sampling = sampling with { Temperature = Number(value, key) };
            else if (property.NameEquals("top_k")) sampling = sampling with { TopK = Whole(value, key, 0) };
            else if (property.NameEquals("top_p")) sampling = sampling with { TopP = Number(value, key) };
            else if (property.NameEquals("min_p")) sampling = sampling with { MinP = Number(value, key) };
            else if (property.NameEquals("repetition_penalty")) sampling = sampling with { RepetitionPenalty = Number(value, key) };
            else if (property.NameEquals("seed")) sampling = sampling with { Seed = Seed(value, key) };
            else if (property.NameEquals("stop")) prompt = prompt with { Stop = Stops(value, key) };
            else if (property.NameEquals("ignore_eos")) prompt = prompt with { IgnoreEos = Switch(value, key) };
            else throw new FailedException($"{where}: unknown key '{property.Name}'; known are {Keys}");
        }
        if (text is null) throw new FailedException($"{where}: no prompt; write {{\"prompt\": \"...\"}}");
        var parameters = new SamplingParameters
        {
            Temperature = sampling.Temperature,
            TopK = sampling.TopK,
            TopP = sampling.TopP,
            MinP = sampling.MinP,
            RepetitionPenalty = sampling.RepetitionPenalty,
        };
        if (parameters.Problem() is { } problem) throw new FailedException($"{where}: {problem}");
        return prompt with { Text = text, Sampling = sampling };
    }

    private static string Text(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(key, "a string", value);

    private static int Whole(JsonElement value, string key, int min) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int whole) && whole >= min
            ? whole : throw Wrong(key, $"a whole number of at least {min}", value);

    private static float Number(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Number ? value.GetSingle() : throw Wrong(key, "a number", value);

    private static ulong Seed(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out ulong seed) ? seed
            : throw Wrong(key, "a whole number in [0, 2^64)", value);

    private static bool Switch(JsonElement value, string key) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(key, "true or false", value);

    private static string[] Stops(JsonElement value, string key)
    {
        if (value.ValueKind == JsonValueKind.String) value = JsonDocument.Parse($"[{value.GetRawText()}]").RootElement;
        if (value.ValueKind != JsonValueKind.Array
            || value.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.String || v.GetString()!.Length == 0))
            throw Wrong(key, "a text, or a list of texts that are not empty", value);
        return [.. value.EnumerateArray().Select(v => v.GetString()!)];
    }

    private static FailedException Wrong(string key, string wanted, JsonElement got) => new($"{key} must be {wanted}, got {Kind(got)}");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => value.GetRawText() is { Length: > 60 } text ? string.Concat(text.AsSpan(0, 57), "...") : value.GetRawText(),
    };
}
