using System.Text;
using System.Text.Json;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>What is done to a text before it is cut: steps, each of the whole text that the one before gave.</summary>
internal sealed class TextNormalizer
{
    private const int MaxSteps = 64;
    private readonly List<Func<string, string>> _steps = [];

    private TextNormalizer() { }

    /// <summary>The text as the steps leave it. No half of a surrogate pair may stand in it.</summary>
    public string Apply(string text)
    {
        foreach (Func<string, string> step in _steps) text = step(text);
        return text;
    }

    /// <summary>Reads the "normalizer" of a tokenizer.json: NFC, Prepend, Replace, or a Sequence of them.</summary>
    public static TextNormalizer Read(TokenizerJson json, JsonElement? value)
    {
        var normalizer = new TextNormalizer();
        if (value is { } given) normalizer.Add(json, given, "normalizer");
        return normalizer;
    }

    private void Add(TokenizerJson json, JsonElement step, string at)
    {
        if (_steps.Count == MaxSteps) throw json.Wrong($"{at}: more than {MaxSteps} steps");
        switch (json.Kind(step, at, "NFC", "Prepend", "Replace", "Sequence"))
        {
            case "NFC":
                _steps.Add(Nfc.Normalize);
                break;
            case "Prepend":
                string before = json.Text(step, "prepend", at + ".");
                _steps.Add(text => text.Length > 0 ? before + text : text);
                break;
            case "Replace":
                _steps.Add(Replace(json, step, at));
                break;
            default:
                foreach ((JsonElement inner, string where) in json.Items(step, "normalizers", at)) Add(json, inner, where);
                break;
        }
    }

    private static Func<string, string> Replace(TokenizerJson json, JsonElement step, string at)
    {
        string content = json.Text(step, "content", at + ".");
        JsonElement pattern = json.Object(step, "pattern", at + ".");
        if (TokenizerJson.Optional(pattern, "String") is null)
        {
            PatternScanner scanner = json.Pattern(step, at);
            return text => Replaced(text, scanner, content);
        }
        string old = json.Text(pattern, "String", at + ".pattern.");
        if (old.Length == 0) throw json.Wrong($"{at}.pattern.String is empty");
        return text => text.Replace(old, content, StringComparison.Ordinal);
    }

    private static string Replaced(string text, PatternScanner scanner, string content)
    {
        PatternScanner.Failures failures = default;
        StringBuilder? result = null;
        int at = 0;
        while (scanner.Find(text, at, ref failures) is (>= 0 and int start, var end))
        {
            result ??= new StringBuilder(text.Length);
            result.Append(text, at, start - at).Append(content);
            at = end;
        }
        failures.Dispose();
        return result is null ? text : result.Append(text, at, text.Length - at).ToString();
    }
}
