using System.Globalization;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace Troupe.Actors.Configuration;

/// <summary>
/// Reads values with their types and ranges. Every refusal names the text and line it comes from, the key, the value and what is wanted.
/// </summary>
internal sealed class OptionReader(ConfigLayers layers)
{
    public string Text(string key, bool mayBeEmpty = false)
    {
        // Akka.NET trims texts, quoted ones too; so do we, to read the same on every provider.
        if (layers.Config.GetString(key)?.Trim() is not { } text) throw Refuse(key, "text");
        return text.Length > 0 || mayBeEmpty ? text : throw Refuse(key, "text that is not empty");
    }

    /// <summary>A text, or null where there is none or something else than a text.</summary>
    public string? TextOrNull(string key) => layers.Config.GetString(key)?.Trim();

    public int Int(string key, int min, int max)
    {
        string wanted = $"a whole number from {min} to {max}";
        return int.TryParse(layers.Config.GetString(key), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            && value >= min && value <= max ? value : throw Refuse(key, wanted);
    }

    /// <summary>A number, or a word that stands for none.</summary>
    public int? IntOr(string word, string key, int min, int max) =>
        layers.Config.GetString(key) is { } text && text == word ? null
            : int.TryParse(layers.Config.GetString(key), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
                && value >= min && value <= max ? value : throw Refuse(key, $"{word} or a whole number from {min} to {max}");

    /// <summary>A share of a whole, in [0, <paramref name="max"/>].</summary>
    public double Fraction(string key, double max) =>
        double.TryParse(layers.Config.GetString(key), NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out double value) && value >= 0 && value <= max ? value
            : throw Refuse(key, $"a number from 0 to {max.ToString(CultureInfo.InvariantCulture)}");

    public TimeSpan Duration(string key, TimeSpan min, TimeSpan max)
    {
        TimeSpan value;
        try
        {
            // A bare number would be milliseconds, which nobody who writes 30 means.
            value = layers.Config.GetString(key) is { } text && !text.All(c => char.IsAsciiDigit(c) || c == '.')
                ? layers.Config.GetTimeSpan(key, null, allowInfinite: false) : TimeSpan.MinValue;
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            value = TimeSpan.MinValue;
        }
        return value >= min && value <= max ? value
            : throw Refuse(key, $"a duration from {Shown(min)} to {Shown(max)}, as 500ms, 30s or 10m");
    }

    public long Bytes(string key)
    {
        try
        {
            return layers.Config.GetByteSize(key, null) ?? throw Refuse(key, "a size in bytes");
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw Refuse(key, "a size in bytes, as 128000b");
        }
    }

    /// <summary>One of a few words.</summary>
    public T Choice<T>(string key, IReadOnlyList<(string Word, T Value)> words)
    {
        string? text = layers.Config.GetString(key);
        foreach ((string word, T value) in words)
            if (word == text) return value;
        throw Refuse(key, $"one of {string.Join(", ", words.Select(w => w.Word))}");
    }

    public IReadOnlyList<string> Texts(string key)
    {
        HoconValue? value = layers.Config.GetValue(key);
        // To Akka.NET, an empty array is neither array, nor object, nor text.
        if (value is null || (!value.IsArray() && !value.IsObject() && !value.IsString())) return [];
        if (!value.IsArray()) throw Refuse(key, "a list in brackets");
        string?[] texts = [.. value.GetArray().Select(item => item.GetString()?.Trim())];
        return texts.Any(string.IsNullOrEmpty) ? throw Refuse(key, "a list of texts") : [.. texts.Select(t => t!)];
    }

    public ConfigException Refuse(string key, string wanted) => ConfigException.Value(layers.Where(key), key, Got(key), wanted);

    private string Got(string key)
    {
        HoconValue? value = layers.Config.GetValue(key);
        if (value is null) return "nothing";
        if (value.IsArray()) return $"[{string.Join(", ", value.GetArray().Select(item => item.GetString() ?? "..."))}]";
        if (value.IsObject()) return "keys in braces";
        return value.GetString() is not { } text ? "null" : text.Length == 0 ? "\"\"" : text;
    }

    private static string Shown(TimeSpan time) => time switch
    {
        { TotalHours: >= 1 } => $"{time.TotalHours}h",
        { TotalSeconds: >= 1 } => $"{time.TotalSeconds}s",
        _ => $"{time.TotalMilliseconds}ms",
    };
}
