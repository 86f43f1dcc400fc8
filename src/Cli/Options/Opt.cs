using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Options;

/// <summary>Makes options whose errors say what was got and what was wanted, in one line.</summary>
internal static class Opt
{
    /// <summary>A switch.</summary>
    public static Option<bool> Switch(string name, string help, params string[] aliases) =>
        new(name, aliases) { Description = help, Arity = ArgumentArity.Zero };

    /// <summary>A text; <paramref name="fallback"/> where it is not given.</summary>
    public static Option<string> Text(string name, string valueName, string help, string fallback, params string[] aliases) =>
        Make(name, valueName, help, fallback, text => text.Length > 0 ? (text, null) : (text, "must not be empty"), aliases);

    /// <summary>A text that may be absent.</summary>
    public static Option<string?> OptionalText(string name, string valueName, string help, params string[] aliases) =>
        Make<string?>(name, valueName, help, null, text => text.Length > 0 ? (text, null) : (text, "must not be empty"), aliases);

    /// <summary>A host and a port in [1, 65535].</summary>
    public static Option<string> Address(string name, string help, string fallback) => Make(name, "HOST:PORT", help, fallback, text =>
        text.LastIndexOf(':') is > 0 and int colon
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port is >= 1 and <= 65535
            ? (text, null) : (text, "must be HOST:PORT, such as 127.0.0.1:4100"));

    /// <summary>A text that may be given several times.</summary>
    public static Option<string[]> Texts(string name, string valueName, string help) => new(name)
    {
        Description = help,
        HelpName = valueName,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
    };

    /// <summary>A whole number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    public static Option<int> Int(string name, string help, int min, int max, int fallback) => Make(name, "N", help, fallback, text =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max
            ? (value, null)
            : (0, max == int.MaxValue ? $"must be a whole number of at least {min}" : $"must be a whole number in [{min}, {max}]"));

    /// <summary>A whole number of 64 bits without sign.</summary>
    public static Option<ulong> Seed(string name, string help) => Make(name, "N", help, 0UL, text =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? (value, null) : (0UL, "must be a whole number in [0, 2^64)"));

    /// <summary>The layers of each stage, as 10,14; absent: null.</summary>
    public static Option<LayerSplit?> Split(string name, string help) => Make<LayerSplit?>(name, "N,N,...", help, null, LayerSplit.Parse);

    /// <summary>A number for which <paramref name="wanted"/> is true; <paramref name="range"/> says it in words.</summary>
    public static Option<double> Number(string name, string help, double fallback, string range, Func<double, bool> wanted) =>
        Make(name, "X", help, fallback, text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && wanted(value)
                ? (value, null) : (0, $"must be {range}"));

    /// <summary>One of a few words. Those in <paramref name="later"/> are known but not built: they are refused as such.</summary>
    public static Option<string> Choice(string name, string help, string fallback, string[] words, params string[] later)
    {
        Option<string> option = Make(name, string.Join('|', words.Concat(later)), help, fallback, text =>
            words.Contains(text, StringComparer.Ordinal) ? (text, null)
            : later.Contains(text, StringComparer.Ordinal)
                ? (text, $"can be {string.Join(" or ", words)} in this build, {text} is not built yet")
            : (text, $"must be one of {string.Join(", ", words.Concat(later))}"));
        option.CompletionSources.Add(_ => words.Select(w => new System.CommandLine.Completions.CompletionItem(w)));
        return option;
    }

    private static Option<T> Make<T>(
        string name, string valueName, string help, T fallback, Func<string, (T Value, string? Problem)> parse, params string[] aliases) =>
            new(name, aliases)
    {
        Description = help,
        HelpName = valueName,
        Arity = ArgumentArity.ExactlyOne,
        DefaultValueFactory = _ => fallback,
        CustomParser = result => Parse(name, result, parse),
    };

    private static T Parse<T>(string name, ArgumentResult result, Func<string, (T Value, string? Problem)> parse)
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
        (T value, string? problem) = parse(text);
        if (problem is not null) result.AddError($"{name} {problem}, got '{Shorten(text)}'");
        return value;
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 57), "...");
}
