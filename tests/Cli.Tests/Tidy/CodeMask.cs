namespace Troupe.Cli.Tests.Tidy;

/// <summary>
/// C# with blanks in place of comments, directives, and the insides of texts and characters, so that what is left is code. Line feeds stay,
/// and so do all positions. Knows verbatim, raw and interpolated texts, and texts inside the holes of others.
/// </summary>
internal static class CodeMask
{
    /// <summary>The masked source, of the same length.</summary>
    public static string Of(string source)
    {
        char[] masked = source.ToCharArray();
        for (int at = 0; at < source.Length;)
        {
            int end = SkipAt(source, at);
            for (int i = at; i < end; i++)
                if (masked[i] is not ('\n' or '\r')) masked[i] = ' ';
            at = Math.Max(end, at + 1);
        }
        return new string(masked);
    }

    /// <summary>Where the comment, directive, text or character ends that starts here; here itself when none does.</summary>
    private static int SkipAt(string s, int at)
    {
        char next = at + 1 < s.Length ? s[at + 1] : '\0';
        switch (s[at])
        {
            case '/' when next == '/': return LineEnd(s, at);
            case '/' when next == '*':
                return s.IndexOf("*/", at + 2, StringComparison.Ordinal) is >= 0 and var close ? close + 2 : s.Length;
            case '#' when s[(s.LastIndexOf('\n', at) + 1)..at].Trim().Length == 0: return LineEnd(s, at);
            case '\'': return Character(s, at);
            case '"' or '$' or '@':
                int start = at, dollars = 0;
                bool verbatim = false;
                for (; start < s.Length && s[start] is '$' or '@'; start++)
                {
                    if (s[start] == '$') dollars++;
                    else verbatim = true;
                }
                // An @ may also stand before a name.
                if (start >= s.Length || s[start] != '"') return at;
                int quotes = Run(s, start, '"');
                if (quotes >= 3 && !verbatim) return Raw(s, start, quotes, dollars);
                return Text(s, start + 1, verbatim, dollars > 0);
            default: return at;
        }
    }

    private static int Character(string s, int at)
    {
        int end = at + 1 < s.Length && s[at + 1] == '\\' ? at + 3 : at + 2;
        while (end < s.Length && s[end] is not ('\'' or '\n')) end++;
        return Math.Min(end + 1, s.Length);
    }

    private static int Text(string s, int at, bool verbatim, bool holes)
    {
        while (at < s.Length)
        {
            if (s[at] == '"')
            {
                if (!verbatim || at + 1 >= s.Length || s[at + 1] != '"') return at + 1;
                at += 2;
            }
            else if (s[at] == '\\' && !verbatim) at += 2;
            else if (holes && s[at] == '{')
            {
                if (at + 1 < s.Length && s[at + 1] == '{') at += 2;
                else at = Hole(s, at + 1);
            }
            else at++;
        }
        return s.Length;
    }

    private static int Raw(string s, int at, int quotes, int dollars)
    {
        at += quotes;
        while (at < s.Length)
        {
            if (s[at] == '"' && Run(s, at, '"') is var run && run >= quotes) return at + run;
            if (dollars > 0 && s[at] == '{' && Run(s, at, '{') is var braces)
                at = braces >= dollars ? Hole(s, at + braces) + dollars - 1 : at + braces;
            else at++;
        }
        return s.Length;
    }

    /// <summary>From inside a hole to after its closing brace; texts inside are passed.</summary>
    private static int Hole(string s, int at)
    {
        int depth = 1;
        while (at < s.Length)
        {
            int end = SkipAt(s, at);
            if (end > at)
            {
                at = end;
                continue;
            }
            if (s[at] == '{') depth++;
            else if (s[at] == '}' && --depth == 0) return at + 1;
            at++;
        }
        return s.Length;
    }

    private static int Run(string s, int at, char wanted)
    {
        int end = at;
        while (end < s.Length && s[end] == wanted) end++;
        return end - at;
    }

    private static int LineEnd(string s, int at) => s.IndexOf('\n', at) is >= 0 and var end ? end : s.Length;
}
