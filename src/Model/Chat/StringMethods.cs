using System.Text;

namespace Troupe.Model.Chat;

/// <summary>The methods of strings.</summary>
internal static class StringMethods
{
    /// <summary>A method of a text; null if there is none of the name.</summary>
    public static Function? Find(string text, string name, TemplateBudget budget)
    {
        Func<CallArguments, object?>? run = Changing(text, name, budget) ?? Cutting(text, name, budget) ?? Asking(text, name, budget);
        return run is null ? null : new Function(name, arguments =>
        {
            budget.Room(text.Length);
            object? value = run(arguments);
            arguments.Done(name);
            if (value is string made) budget.Room(made.Length);
            if (value is List<object?> parts) budget.Spend(parts.Count);
            return value;
        });
    }

    private static Func<CallArguments, object?>? Changing(string text, string name, TemplateBudget budget) => name switch
    {
        "strip" => a => PythonText.Strip(text, Characters(a)),
        "lstrip" => a => PythonText.Strip(text, Characters(a), right: false),
        "rstrip" => a => PythonText.Strip(text, Characters(a), left: false),
        "upper" => _ => text.ToUpperInvariant(),
        "lower" or "casefold" => _ => text.ToLowerInvariant(),
        "title" => _ => PythonText.Title(text),
        "capitalize" => _ => PythonText.Capitalize(text),
        "swapcase" => _ => string.Concat(text.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))),
        "replace" => a =>
        {
            string old = a.Text("old"), changed = a.Text("new");
            budget.Search(text, old);
            budget.Room((text.Length + 1L) * (changed.Length + 1L) / Math.Max(1, old.Length));
            return PythonText.Replace(text, old, changed, a.Whole("count", -1));
        },
        "removeprefix" => a => a.Text("prefix") is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
        "removesuffix" => a => a.Text("suffix") is var part && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
        "join" => a => Filters.Join(Filters.Items(a.Must("iterable")), text, budget, strict: true),
        "format" => a => Formats.Braces(text, a, budget),
        "zfill" => a => Padded(text, a.Whole("width", 0), budget, left => new string('0', (int)left), ""),
        "ljust" => a => Padded(text, a.Whole("width", 0), budget, null, a.Or("fillchar", " ")),
        "rjust" => a => Padded(text, a.Whole("width", 0), budget, left => Filled(left, a.Or("fillchar", " ")), ""),
        _ => null,
    };

    private static Func<CallArguments, object?>? Cutting(string text, string name, TemplateBudget budget) => name switch
    {
        "split" or "rsplit" => a =>
        {
            object? separator = a.Or("sep", null);
            long most = a.Whole("maxsplit", -1);
            if (separator is null && name == "rsplit" && most >= 0) throw new TemplateFault("rsplit with a limit wants a separator");
            return separator is null ? PythonText.Words(text, most)
                : separator is string by ? PythonText.Split(text, by, most, name == "rsplit", budget)
                : throw new TemplateFault($"must be str or None, not {Values.Kind(separator)}");
        },
        "splitlines" => a => PythonText.Lines(text, Values.Truth(a.Or("keepends", false))),
        "partition" => a => Parted(text, Sought(a, "sep", text, budget), text.IndexOf, last: false),
        "rpartition" => a => Parted(text, Sought(a, "sep", text, budget), text.LastIndexOf, last: true),
        _ => null,
    };

    private static Func<CallArguments, object?>? Asking(string text, string name, TemplateBudget budget) => name switch
    {
        "startswith" => a => Any(a.Must("prefix"), part => text.StartsWith(Looked(part, budget), StringComparison.Ordinal)),
        "endswith" => a => Any(a.Must("suffix"), part => text.EndsWith(Looked(part, budget), StringComparison.Ordinal)),
        "find" => a => Place(text, text.IndexOf(Sought(a, "sub", text, budget), StringComparison.Ordinal)),
        "rfind" => a => Place(text, text.LastIndexOf(Sought(a, "sub", text, budget), StringComparison.Ordinal)),
        "index" => a => Place(text, text.IndexOf(Sought(a, "sub", text, budget), StringComparison.Ordinal)) is >= 0 and var at ? at
            : throw new TemplateFault("substring not found"),
        "count" => a => Sought(a, "sub", text, budget) is { Length: > 0 } part ? (long)text.AsSpan().Count(part) : Values.Length(text) + 1,
        "isdigit" or "isnumeric" or "isdecimal" => _ => All(text, char.IsDigit),
        "isalpha" => _ => All(text, char.IsLetter),
        "isalnum" => _ => All(text, char.IsLetterOrDigit),
        "isspace" => _ => All(text, PythonText.IsSpace),
        "isupper" => _ => text.Any(char.IsUpper) && !text.Any(char.IsLower),
        "islower" => _ => text.Any(char.IsLower) && !text.Any(char.IsUpper),
        _ => null,
    };

    // What is looked for in a text.
    private static string Sought(CallArguments arguments, string name, string text, TemplateBudget budget)
    {
        string part = arguments.Text(name);
        budget.Search(text, part);
        return part;
    }

    private static string Looked(string text, TemplateBudget budget)
    {
        budget.Spend();
        budget.Look(text.Length);
        return text;
    }

    private static string? Characters(CallArguments arguments) => arguments.Or("chars", null) switch
    {
        null => null,
        string characters => characters,
        var other => throw new TemplateFault($"strip arg must be None or str, not {Values.Kind(other)}"),
    };

    private static bool All(string text, Func<char, bool> wanted) => text.Length > 0 && text.All(wanted);

    private static bool Any(object? parts, Func<string, bool> wanted) => parts switch
    {
        string part => wanted(part),
        Fixed several => several.Items.Any(part => wanted(part as string ?? throw new TemplateFault("a tuple of strings is wanted"))),
        _ => throw new TemplateFault($"first arg must be str or a tuple of str, not {Values.Kind(parts)}"),
    };

    // Places count characters, not halves of pairs.
    private static long Place(string text, int at) => at < 0 ? -1 : Values.Length(text[..at]);

    private static Fixed Parted(string text, string separator, Func<string, StringComparison, int> find, bool last)
    {
        if (separator.Length == 0) throw new TemplateFault("empty separator");
        int at = find(separator, StringComparison.Ordinal);
        if (at < 0) return last ? new Fixed(["", "", text]) : new Fixed([text, "", ""]);
        return new Fixed([text[..at], separator, text[(at + separator.Length)..]]);
    }

    private static string Padded(string text, long width, TemplateBudget budget, Func<long, string>? before, object? behind)
    {
        long missing = width - Values.Length(text);
        if (missing <= 0) return text;
        budget.Room(width);
        return before is null ? text + Filled(missing, behind) : before(missing) + text;
    }

    private static string Filled(long count, object? with) =>
        with is string { Length: 1 } fill ? new StringBuilder().Append(fill[0], (int)count).ToString()
            : throw new TemplateFault("the fill character must be exactly one character long");
}
