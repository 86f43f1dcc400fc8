using System.Globalization;
using System.Text.Json;

namespace Troupe.Model.Checkpoints;

/// <summary>
/// Typed, bounded reads from one JSON object of a model. A key may have several spellings; where two are present they must agree.
/// A null counts as absent, as it does in the files of public checkpoints.
/// </summary>
internal sealed class ConfigReader(string file, JsonElement root, string prefix = "")
{
    /// <summary>An integer in [min, max]; absent: the fallback, or an error if there is none.</summary>
    public int Int(int min, int max, int? fallback, params ReadOnlySpan<string> keys)
    {
        if (Find(keys) is not { } found) return fallback ?? throw Missing(keys);
        if (found.Value.ValueKind == JsonValueKind.Number && found.Value.TryGetInt32(out int value) && value >= min && value <= max)
            return value;
        throw Wrong(found, $"an integer in [{min}, {max}]");
    }

    /// <summary>A number in (min, max]; absent: the fallback.</summary>
    public double Number(double min, double max, double fallback, params ReadOnlySpan<string> keys)
    {
        if (Find(keys) is not { } found) return fallback;
        if (found.Value.ValueKind == JsonValueKind.Number && found.Value.TryGetDouble(out double value) && value > min && value <= max)
            return value;
        throw Wrong(found, string.Create(CultureInfo.InvariantCulture, $"a number in ({min}, {max}]"));
    }

    /// <summary>True or false; absent: the fallback.</summary>
    public bool Bool(bool fallback, string key) => Find([key]) switch
    {
        null => fallback,
        { Value.ValueKind: JsonValueKind.True } => true,
        { Value.ValueKind: JsonValueKind.False } => false,
        { } found => throw Wrong(found, "true or false"),
    };

    /// <summary>A string, or null if absent.</summary>
    public string? Text(params ReadOnlySpan<string> keys) => Find(keys) switch
    {
        null => null,
        { Value.ValueKind: JsonValueKind.String } found => found.Value.GetString(),
        { } found => throw Wrong(found, "a string"),
    };

    /// <summary>A list of integers in [min, max], or one integer where a single value is allowed; absent: empty.</summary>
    public int[] Ints(int min, int max, bool single, string key)
    {
        if (Find([key]) is not { } found) return [];
        if (single && found.Value.ValueKind == JsonValueKind.Number) return [Int(min, max, null, key)];
        string wanted = $"{(single ? "an integer or " : "")}a list of integers in [{min}, {max}]";
        if (found.Value.ValueKind != JsonValueKind.Array) throw Wrong(found, wanted);
        return [.. found.Value.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int value) && value >= min && value <= max
                ? value
                : throw new ModelException($"{file}: {prefix}{key} must be {wanted}, got {ModelFiles.Kind(item)} in it"))];
    }

    /// <summary>A list of strings; absent: empty.</summary>
    public string[] Texts(string key)
    {
        if (Find([key]) is not { } found) return [];
        if (found.Value.ValueKind != JsonValueKind.Array) throw Wrong(found, "a list of strings");
        return [.. found.Value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String
            ? item.GetString()!
            : throw Wrong(found, "a list of strings"))];
    }

    /// <summary>An object inside this one, or null if absent.</summary>
    public ConfigReader? Inner(string key) => Find([key]) switch
    {
        null => null,
        { Value.ValueKind: JsonValueKind.Object } found => new ConfigReader(file, found.Value, $"{prefix}{key}."),
        { } found => throw Wrong(found, "an object"),
    };

    /// <summary>Whether the key is present and not null.</summary>
    public bool Has(string key) => Find([key]) is not null;

    /// <summary>An error about a key of this object.</summary>
    public ModelException Error(string key, string problem) => new($"{file}: {prefix}{key} {problem}");

    private Found? Find(params ReadOnlySpan<string> keys)
    {
        Found? first = null;
        foreach (string key in keys)
        {
            if (!root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null) continue;
            if (first is { } other && !JsonElement.DeepEquals(other.Value, value))
                throw Error(
                    key, $"is {ModelFiles.Kind(value)}, but {prefix}{other.Key} is {ModelFiles.Kind(other.Value)}; they must agree");
            first ??= new Found(key, value);
        }
        return first;
    }

    private ModelException Missing(ReadOnlySpan<string> keys) => Error(string.Join(" or ", keys!), "is missing");

    private ModelException Wrong(Found found, string wanted) =>
        Error(found.Key, $"must be {wanted}, got {ModelFiles.Kind(found.Value)}");

    private readonly record struct Found(string Key, JsonElement Value);
}
