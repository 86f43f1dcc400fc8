using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>Typed reads from a tokenizer.json; each error names the file and the place.</summary>
internal sealed class TokenizerJson(string path)
{
    internal const int MaxId = 1 << 22;
    private readonly PatternWork _work = new();

    /// <summary>The object's "type", which must be one of the known.</summary>
    public string Kind(JsonElement value, string at, params ReadOnlySpan<string> known)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Wrong($"{at} must be an object, got {ModelFiles.Kind(value)}");
        string kind = Text(value, "type", at + ".");
        if (known.Contains(kind)) return kind;
        throw Wrong($"{at} is of kind {kind}; supported: {string.Join(", ", known!)}");
    }

    /// <summary>A token id.</summary>
    public int Id(JsonElement value, string at) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id is >= 0 and < MaxId
            ? id
            : throw Wrong($"{at} must have an id in [0, {MaxId}), got {ModelFiles.Kind(value)}");

    /// <summary>True or false.</summary>
    public bool Flag(JsonElement value, string key, bool absent = false) => Optional(value, key) switch
    {
        null => absent,
        { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        { } other => throw Wrong($"{key} must be true or false, got {ModelFiles.Kind(other)}"),
    };

    /// <summary>A string that must be there.</summary>
    public string Text(JsonElement value, string key, string at) => Optional(value, key) switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        null => throw Wrong($"{at}{key} is missing"),
        { } other => throw Wrong($"{at}{key} must be a string, got {ModelFiles.Kind(other)}"),
    };

    /// <summary>An object that must be there.</summary>
    public JsonElement Object(JsonElement value, string key, string at = "") => Optional(value, key) switch
    {
        { ValueKind: JsonValueKind.Object } found => found,
        null => throw Wrong($"{at}{key} is missing"),
        { } other => throw Wrong($"{at}{key} must be an object, got {ModelFiles.Kind(other)}"),
    };

    /// <summary>The objects of a list that must be there, and where each stands.</summary>
    public IEnumerable<(JsonElement Value, string At)> Items(JsonElement value, string key, string at)
    {
        if (!value.TryGetProperty(key, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw Wrong($"{at}.{key} must be a list");
        int index = 0;
        foreach (JsonElement item in list.EnumerateArray()) yield return (item, $"{at}.{key}[{index++}]");
    }

    /// <summary>The "pattern" of a Split or Replace: {"String": ...} or {"Regex": ...}.</summary>
    public PatternScanner Pattern(JsonElement value, string at)
    {
        JsonElement pattern = Object(value, "pattern", at + ".");
        bool literal = Optional(pattern, "String") is not null;
        string text = Text(pattern, literal ? "String" : "Regex", at + ".pattern.");
        try
        {
            return PatternScanner.Of(literal ? PatternParser.Literal(text) : PatternParser.Parse(text), _work);
        }
        catch (FormatException e)
        {
            throw Wrong($"{at}: the pattern {(text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "..."))} {e.Message}");
        }
    }

    /// <summary>A value, or null if it is absent or null.</summary>
    public static JsonElement? Optional(JsonElement value, string key) =>
        value.TryGetProperty(key, out JsonElement found) && found.ValueKind != JsonValueKind.Null ? found : null;

    /// <summary>An error that names the file.</summary>
    public ModelException Wrong(string problem) => new($"{path}: {problem}");
}
