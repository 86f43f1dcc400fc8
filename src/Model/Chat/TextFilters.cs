using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Troupe.Model.Chat;

/// <summary>Jinja's filters of texts that lay them out or rewrite them.</summary>
internal static partial class TextFilters
{
    private const int TruncateLeeway = 5;

    /// <summary>A filter of a text; null if there is none of the name.</summary>
    public static Box? Apply(string name, object? value, CallArguments arguments, TemplateBudget budget) => name switch
    {
        "center" => new Box(Center(Values.Text(value), arguments, budget)),
        "truncate" => new Box(Truncate(Values.Text(value), arguments)),
        "wordwrap" => new Box(Wrap(Values.Text(value), arguments)),
        "striptags" => new Box(StripTags(Values.Text(value))),
        "urlencode" => new Box(UrlEncode(value)),
        "filesizeformat" => new Box(FileSize(value, arguments)),
        _ => null,
    };

    private static string Center(string text, CallArguments arguments, TemplateBudget budget) =>
        Centered(text, arguments.Whole("width", 80), ' ', budget);

    /// <summary>str.center: where the room is odd, what is left over stands as Python sets it.</summary>
    public static string Centered(string text, long width, char fill, TemplateBudget budget)
    {
        budget.Room(width);
        long room = width - Values.Length(text);
        if (room <= 0) return text;
        long left = room / 2 + (room & width & 1);
        return new string(fill, (int)left) + text + new string(fill, (int)(room - left));
    }

    private static string Truncate(string text, CallArguments arguments)
    {
        long length = arguments.Whole("length", 255);
        bool killsWords = Values.Truth(arguments.Or("killwords", false));
        string end = Values.Text(arguments.Or("end", "..."));
        long leeway = arguments.Whole("leeway", TruncateLeeway), kept = length - Values.Length(end);
        if (kept < 0 || leeway < 0) throw new TemplateFault($"truncate wants a length of at least {Values.Length(end)}, got {length}");
        if (Values.Length(text) <= length + leeway) return text;
        Rune[] runes = [.. text.EnumerateRunes()];
        string cut = string.Concat(runes[..(int)kept]);
        if (killsWords) return cut + end;
        int blank = cut.LastIndexOf(' ');
        return (blank < 0 ? cut : cut[..blank]) + end;
    }

    /// <summary>Lines of at most so many characters, as Python's textwrap makes them of each line.</summary>
    private static string Wrap(string text, CallArguments arguments)
    {
        long width = arguments.Whole("width", 79);
        bool breaks = Values.Truth(arguments.Or("break_long_words", true));
        string between = arguments.Or("wrapstring", null) as string ?? "\n";
        bool hyphens = Values.Truth(arguments.Or("break_on_hyphens", true));
        if (width < 1) throw new TemplateFault($"invalid width {width} (must be > 0)");
        var lines = new List<string>();
        foreach (object? line in PythonText.Lines(text))
        {
            List<string> wrapped = Wrapped((string)line!, (int)Math.Min(width, TemplateBudget.MaxText), breaks, hyphens);
            lines.AddRange(wrapped.Count == 0 ? [""] : wrapped);
        }
        return string.Join(between, lines);
    }

    private static List<string> Wrapped(string line, int width, bool breaks, bool hyphens)
    {
        // The last is the next one.
        var chunks = new Stack<string>((hyphens ? Chunks() : Words()).Matches(line).Select(match => match.Value).Reverse());
        var lines = new List<string>();
        while (chunks.Count > 0)
        {
            var row = new List<string>();
            int length = 0;
            if (lines.Count > 0 && string.IsNullOrWhiteSpace(chunks.Peek())) chunks.Pop();
            while (chunks.TryPeek(out string? next) && length + next.Length <= width)
            {
                row.Add(chunks.Pop());
                length += next.Length;
            }
            if (chunks.TryPeek(out string? longer) && longer.Length > width)
            {
                int room = Math.Max(1, width - length);
                if (breaks)
                {
                    chunks.Pop();
                    row.Add(longer[..room]);
                    chunks.Push(longer[room..]);
                }
                else if (row.Count == 0)
                {
                    row.Add(chunks.Pop());
                }
            }
            if (row.Count > 0 && string.IsNullOrWhiteSpace(row[^1])) row.RemoveAt(row.Count - 1);
            if (row.Count > 0) lines.Add(string.Concat(row));
        }
        return lines;
    }

    private static string StripTags(string text)
    {
        string bare = Tag().Replace(Remark().Replace(text, ""), "");
        return System.Net.WebUtility.HtmlDecode(string.Join(' ', PythonText.Words(bare, -1)));
    }

    private static string UrlEncode(object? value)
    {
        if (value is string text) return Quoted(text, path: true);
        IReadOnlyList<object?>? pairs = value is Map map
            ? [.. map.Select(item => new Fixed([Values.Unkey(item.Key), item.Value]))] : Values.ItemsOf(value);
        if (pairs is null) return Quoted(Values.Text(value), path: true);
        return string.Join('&', pairs.Select(pair => Values.ItemsOf(pair) is [var key, var item]
            ? $"{Quoted(Values.Text(key), path: false)}={Quoted(Values.Text(item), path: false)}"
            : throw new TemplateFault("urlencode wants pairs")));
    }

    private static string Quoted(string text, bool path)
    {
        var result = new StringBuilder();
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)value;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '~' || (path && c == '/')) result.Append(c);
            else if (c == ' ' && !path) result.Append('+');
            else result.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
        }
        return result.ToString();
    }

    private static string FileSize(object? value, CallArguments arguments)
    {
        bool binary = Values.Truth(arguments.Or("binary", false));
        double bytes = Values.AsNumber(value)
            ?? (value is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double given) ? given
                : throw new TemplateFault($"filesizeformat wants a number, got {Values.Kind(value)}"));
        double unit = binary ? 1024 : 1000, size = unit;
        if (bytes == 1) return "1 Byte";
        if (bytes < unit) return string.Create(CultureInfo.InvariantCulture, $"{Math.Truncate(bytes):F0} Bytes");
        string[] names = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        int at = 0;
        for (; at < names.Length - 1 && bytes >= size * unit; at++) size *= unit;
        string name = binary ? names[at].ToUpperInvariant() + "i" : names[at];
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / size:F1} {name}B");
    }

    [GeneratedRegex("<!--.*?-->", RegexOptions.Singleline)]
    private static partial Regex Remark();

    [GeneratedRegex("<.*?>", RegexOptions.Singleline)]
    private static partial Regex Tag();

    [GeneratedRegex(@"\s+|\S+")]
    private static partial Regex Words();

    // A word may be cut behind a hyphen between letters.
    [GeneratedRegex(@"\s+|[^\s\w]*\w+[^0-9\W]-(?=\w+[^0-9\W])|[^\s-]+|\S")]
    private static partial Regex Chunks();
}
