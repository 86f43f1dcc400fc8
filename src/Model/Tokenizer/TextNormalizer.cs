using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>What is done to a text before it is cut: steps, each of the whole text that the one before gave.</summary>
internal sealed class TextNormalizer
{
    private const int MaxSteps = 32;
    /// <summary>The most characters that the steps make of each, and how many more.</summary>
    private const int MaxGrowth = 64, MaxMore = 4096;
    private readonly List<Func<string, long, string>> _steps = [];

    private TextNormalizer() { }

    /// <summary>The text as the steps leave it. No half of a surrogate pair may stand in it.</summary>
    /// <exception cref="ModelException">They make far more of it than they get: steps that each double a text are soon endless.</exception>
    public string Apply(string text)
    {
        long most = (long)MaxGrowth * text.Length + MaxMore;
        foreach (Func<string, long, string> step in _steps)
            if ((text = step(text, most)).Length > most) throw TooLong(most);
        return text;
    }

    private static ModelException TooLong(long most) =>
        new($"the normalizer of tokenizer.json makes more than {most} characters of a text: at most {MaxGrowth} of each and "
            + $"{MaxMore} are allowed");

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
                _steps.Add((text, _) => Nfc.Normalize(text));
                break;
            case "Prepend":
                string before = json.Text(step, "prepend", at + ".");
                _steps.Add((text, _) => text.Length > 0 ? before + text : text);
                break;
            case "Replace":
                _steps.Add(Replace(json, step, at));
                break;
            default:
                foreach ((JsonElement inner, string where) in json.Items(step, "normalizers", at)) Add(json, inner, where);
                break;
        }
    }

    private static Func<string, long, string> Replace(TokenizerJson json, JsonElement step, string at)
    {
        string content = json.Text(step, "content", at + ".");
        JsonElement pattern = json.Object(step, "pattern", at + ".");
        if (TokenizerJson.Optional(pattern, "String") is null)
        {
            PatternScanner scanner = json.Pattern(step, at);
            return (text, most) => Replaced(text, scanner, content, most);
        }
        string old = json.Text(pattern, "String", at + ".pattern.");
        if (old.Length == 0) throw json.Wrong($"{at}.pattern.String is empty");
        return (text, most) => text.Length + (long)text.AsSpan().Count(old) * (content.Length - old.Length) <= most
            ? text.Replace(old, content, StringComparison.Ordinal) : throw TooLong(most);
    }

    private static string Replaced(string text, PatternScanner scanner, string content, long most)
    {
        PatternScanner.Failures failures = default;
        StringBuilder? result = null;
        int at = 0;
        while (scanner.Find(text, at, ref failures) is (>= 0 and int start, var end))
        {
            result ??= new StringBuilder(text.Length);
            result.Append(text, at, start - at).Append(content);
            at = end;
            if (result.Length > most) throw TooLong(most);
        }
        failures.Dispose();
        return result is null ? text : result.Append(text, at, text.Length - at).ToString();
    }
}
