using System.Globalization;
using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Python's ways to put values into a text.</summary>
internal static class Formats
{
    private const int MaxWidth = 1000;

    /// <summary>"%s is %d" % values: s, r, d, i, f, x and %, with 0, width and precision.</summary>
    public static string Percent(string format, object? values)
    {
        IReadOnlyList<object?> items = values is Fixed several ? several.Items : [values];
        var result = new StringBuilder();
        int next = 0;
        TemplateBudget.Current?.Look(format.Length);
        for (int at = 0; at < format.Length; at++)
        {
            TemplateBudget.Bound(result.Length);
            if (format[at] != '%')
            {
                result.Append(format[at]);
                continue;
            }
            int end = at + 1;
            while (end < format.Length && (char.IsAsciiDigit(format[end]) || format[end] is '.' or '-')) end++;
            if (end == format.Length) throw new TemplateFault("incomplete format");
            if (format[end] == '%') result.Append('%');
            else if (next >= items.Count) throw new TemplateFault("not enough arguments for format string");
            else result.Append(One(items[next++], format[(at + 1)..end], format[end]));
            at = end;
        }
        if (next < items.Count && values is not Map) throw new TemplateFault("not all arguments converted during string formatting");
        return result.ToString();
    }

    /// <summary>"{} is {name:.2f}".format(values).</summary>
    public static string Braces(string format, CallArguments arguments, TemplateBudget budget)
    {
        var named = new Dictionary<string, object?>(arguments.Named, StringComparer.Ordinal);
        var plain = new List<object?>();
        while (arguments.More) plain.Add(arguments.Must(""));
        arguments.Named.Clear();
        var result = new StringBuilder();
        int next = 0;
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            if (c is '{' or '}' && at + 1 < format.Length && format[at + 1] == c) result.Append(format[at++]);
            else if (c == '}') throw new TemplateFault("Single '}' encountered in format string");
            else if (c != '{') result.Append(c);
            else
            {
                int end = format.IndexOf('}', at);
                if (end < 0) throw new TemplateFault("expected '}' before end of string");
                string[] field = format[(at + 1)..end].Split(':', 2);
                object? value = Field(field[0], plain, named, ref next);
                string spec = field.Length > 1 ? field[1] : "";
                char kind = spec.Length > 0 && char.IsAsciiLetter(spec[^1]) ? spec[^1] : 's';
                result.Append(One(value, kind == 's' && !spec.EndsWith('s') ? spec : spec[..^1], kind));
                at = end;
            }
            budget.Spend();
            TemplateBudget.Bound(result.Length);
        }
        return result.ToString();
    }

    private static object? Field(string name, List<object?> plain, Dictionary<string, object?> named, ref int next)
    {
        int place = name.Length == 0 ? next++
            : int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : -1;
        if (place >= 0) return place < plain.Count ? plain[place] : throw new TemplateFault("Replacement index out of range");
        return named.TryGetValue(name, out object? value) ? value : throw new TemplateFault($"no argument '{name}' to format");
    }

    private static string One(object? value, string spec, char kind)
    {
        bool left = spec.StartsWith('-'), zero = spec.StartsWith('0');
        string[] sizes = spec.TrimStart('-').Split('.');
        int width = 0, precision = -1;
        if (sizes.Length > 2 || (sizes[0].Length > 0 && !Size(sizes[0], out width))
            || (sizes.Length == 2 && !Size(sizes[1], out precision)))
            throw new TemplateFault($"the format {spec}{kind} is not supported");
        string text = kind switch
        {
            's' => precision >= 0 && precision < Values.Text(value).Length ? Values.Text(value)[..precision] : Values.Text(value),
            'r' => Repr(value),
            'd' or 'i' => Whole(value).ToString(CultureInfo.InvariantCulture),
            'x' => Whole(value).ToString("x", CultureInfo.InvariantCulture),
            'f' => (Values.AsNumber(value) ?? throw new TemplateFault($"must be real number, not {Values.Kind(value)}"))
                .ToString("F" + (precision < 0 ? 6 : precision), CultureInfo.InvariantCulture),
            _ => throw new TemplateFault($"the format {spec}{kind} is not supported"),
        };
        if (left) return text.PadRight(width);
        return zero && text.StartsWith('-')
            ? "-" + text[1..].PadLeft(Math.Max(0, width - 1), '0')
            : text.PadLeft(width, zero && kind != 's' ? '0' : ' ');
    }

    private static bool Size(string digits, out int size) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size <= MaxWidth;

    private static long Whole(object? value) => value is double real ? (long)real
        : Values.AsLong(value) ?? throw new TemplateFault($"a number is required, not {Values.Kind(value)}");

    private static string Repr(object? value)
    {
        var text = new StringBuilder();
        Values.Repr(value, text, 0);
        return text.ToString();
    }
}
