using System.Globalization;
using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Python's ways to put values into a text.</summary>
internal static class Formats
{
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
            object? named = null;
            bool byName = format.AsSpan(end).StartsWith("(");
            if (byName)
            {
                int close = format.IndexOf(')', end);
                if (close < 0) throw new TemplateFault("incomplete format key");
                string key = format[(end + 1)..close];
                if (values is not Map map) throw new TemplateFault("format requires a mapping");
                named = map.TryGetValue(key, out object? found) ? found : throw new TemplateFault($"no value for '{key}' in format string");
                end = close + 1;
            }
            int from = end;
            while (end < format.Length && (char.IsAsciiDigit(format[end]) || format[end] is '.' or '-' or '+' or ' ' or '#')) end++;
            if (end == format.Length) throw new TemplateFault("incomplete format");
            if (format[end] == '%') result.Append('%');
            else if (byName) result.Append(OnePercent(named, format[from..end], format[end]));
            else if (next >= items.Count) throw new TemplateFault("not enough arguments for format string");
            else result.Append(OnePercent(items[next++], format[from..end], format[end]));
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
                string[] name = field[0].Split('!', 2);
                object? value = Field(name[0], plain, named, ref next);
                if (name.Length > 1) value = name[1] switch { "r" or "a" => Repr(value), "s" => Values.Text(value), var other =>
                    throw new TemplateFault($"Unknown conversion specifier '{other}'") };
                result.Append(FormatSpec.Parse(field.Length > 1 ? field[1] : "").Apply(value));
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

    /// <summary>printf's form of the same: texts stand right where - does not set them left.</summary>
    private static string OnePercent(object? value, string flags, char kind)
    {
        string size = flags.TrimStart('-', '+', ' ', '#', '0');
        string signs = flags[..^size.Length];
        string spec = (signs.Contains('-') ? "<" : ">") + (signs.Contains('+') ? "+" : signs.Contains(' ') ? " " : "")
            + (signs.Contains('#') ? "#" : "");
        if (signs.Contains('0') && !signs.Contains('-') && kind is not ('s' or 'r' or 'a' or 'c')) spec = spec[1..] + "0";
        switch (kind)
        {
            case 's' or 'a' or 'r' or 'c':
                return FormatSpec.Parse(spec.TrimEnd('+', ' ', '#') + size + "s").Apply(kind is 'r' or 'a' ? Repr(value)
                    : kind == 'c' && Values.AsLong(value) is { } code && Rune.IsValid((int)code) ? new Rune((int)code).ToString()
                    : Values.Text(value));
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                object whole = value is double real ? (long)real
                    : Values.AsLong(value) 
                        ?? throw new TemplateFault($"%{kind} format: a real number is required, not {Values.Kind(value)}");
                return FormatSpec.Parse(spec + size + (kind is 'i' or 'u' ? 'd' : kind)).Apply(whole);
            case 'f' or 'F' or 'e' or 'E' or 'g' or 'G':
                double number = Values.AsNumber(value) ?? throw new TemplateFault($"must be real number, not {Values.Kind(value)}");
                return FormatSpec.Parse(spec + size + kind).Apply(number);
            default:
                throw new TemplateFault($"unsupported format character '{kind}'");
        }
    }

    private static string Repr(object? value)
    {
        var text = new StringBuilder();
        Values.Repr(value, text, 0);
        return text.ToString();
    }
}
