using System.Text;

namespace Troupe.Model.Chat;

/// <summary>What Python's str does where .NET's string differs.</summary>
internal static class PythonText
{
    /// <summary>White space as str.isspace has it.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    /// <summary>The text without these characters, or white space, at its ends.</summary>
    public static string Strip(string text, string? characters, bool left = true, bool right = true)
    {
        bool Goes(char c)
        {
            if (characters is null) return IsSpace(c);
            TemplateBudget.Current?.Look(characters.Length);
            return characters.Contains(c);
        }
        int start = 0, end = text.Length;
        while (left && start < end && Goes(text[start])) start++;
        while (right && end > start && Goes(text[end - 1])) end--;
        return text[start..end];
    }

    /// <summary>The parts between white space, as str.split() without a separator gives them.</summary>
    public static List<object?> Words(string text, long most)
    {
        var words = new List<object?>();
        for (int at = 0; ;)
        {
            while (at < text.Length && IsSpace(text[at])) at++;
            if (at == text.Length) return words;
            int end = at;
            while (end < text.Length && !IsSpace(text[end])) end++;
            if (most >= 0 && words.Count == most)
            {
                words.Add(Strip(text[at..], null, left: false));
                return words;
            }
            TemplateBudget.Current?.Spend();
            words.Add(text[at..end]);
            at = end;
        }
    }

    /// <summary>The parts between separators, from the left or the right; a negative most is no limit.</summary>
    public static List<object?> Split(string text, string separator, long most, bool fromRight, TemplateBudget budget)
    {
        if (separator.Length == 0) throw new TemplateFault("empty separator");
        budget.Search(text, separator);
        budget.Spend(text.AsSpan().Count(separator));
        string[] all = text.Split(separator);
        if (most < 0 || all.Length - 1 <= most) return [.. all];
        int keep = (int)most;
        return fromRight
            ? [string.Join(separator, all[..^keep]), .. all[^keep..]]
            : [.. all[..keep], string.Join(separator, all[keep..])];
    }

    /// <summary>The lines of a text, with or without their ends.</summary>
    public static List<object?> Lines(string text, bool ends = false)
    {
        var lines = new List<object?>();
        for (int start = 0; start < text.Length;)
        {
            int at = start;
            while (at < text.Length
                && text[at] is not ('\n' or '\r' or '\v' or '\f' or (>= '\x1C' and <= '\x1E') or '\x85' or '\u2028' or '\u2029')) at++;
            int next = at == text.Length ? at : at + (text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n' ? 2 : 1);
            TemplateBudget.Current?.Spend();
            lines.Add(text[start..(ends ? next : at)]);
            start = next;
        }
        return lines;
    }

    /// <summary>str.replace: at most so often; negative is no limit.</summary>
    public static string Replace(string text, string old, string changed, long most)
    {
        if (most == 0) return text;
        if (old.Length == 0) return Spread(text, changed, most);
        if (most < 0) return text.Replace(old, changed, StringComparison.Ordinal);
        var result = new StringBuilder();
        int at = 0;
        for (int found; most > 0 && (found = text.IndexOf(old, at, StringComparison.Ordinal)) >= 0; most--)
        {
            result.Append(text, at, found - at).Append(changed);
            at = found + old.Length;
        }
        return result.Append(text, at, text.Length - at).ToString();
    }

    private static readonly System.Buffers.SearchValues<char> s_several = System.Buffers.SearchValues.Create("ßŉǰﬀﬁﬂﬃﬄﬅﬆ");

    /// <summary>str.upper: letters that become several too.</summary>
    public static string Upper(string text) => text.AsSpan().ContainsAny(s_several)
        ? text.Replace("ß", "SS", StringComparison.Ordinal).Replace("ŉ", "ʼN", StringComparison.Ordinal)
            .Replace("ǰ", "J\u030C", StringComparison.Ordinal).Replace("ﬀ", "FF", StringComparison.Ordinal)
            .Replace("ﬁ", "FI", StringComparison.Ordinal).Replace("ﬂ", "FL", StringComparison.Ordinal)
            .Replace("ﬃ", "FFI", StringComparison.Ordinal).Replace("ﬄ", "FFL", StringComparison.Ordinal)
            .Replace("ﬅ", "ST", StringComparison.Ordinal).Replace("ﬆ", "ST", StringComparison.Ordinal).ToUpperInvariant()
        : text.ToUpperInvariant();

    /// <summary>str.rsplit() without a separator: at most so many words from the right, and what is before them.</summary>
    public static List<object?> WordsFromRight(string text, long most)
    {
        var words = new List<object?>();
        for (int end = text.Length; ;)
        {
            while (end > 0 && IsSpace(text[end - 1])) end--;
            if (end == 0) break;
            if (words.Count == most)
            {
                words.Add(Strip(text[..end], null));
                break;
            }
            int start = end;
            while (start > 0 && !IsSpace(text[start - 1])) start--;
            words.Add(text[start..end]);
            end = start;
        }
        words.Reverse();
        return words;
    }

    /// <summary>str.title: the first letter of each run of letters in upper case, the others in lower.</summary>
    public static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            result.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = char.IsLetter(c);
        }
        return result.ToString();
    }

    /// <summary>str.capitalize: the first character in upper case, the others in lower.</summary>
    public static string Capitalize(string text) =>
        text.Length == 0 ? "" : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();

    // An empty text stands before each character and at the end.
    private static string Spread(string text, string changed, long most)
    {
        var result = new StringBuilder();
        long left = most < 0 ? long.MaxValue : most;
        TemplateBudget.Current?.Spend(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) result.Append(left-- > 0 ? changed : "").Append(rune.ToString());
        return result.Append(left > 0 ? changed : "").ToString();
    }
}
