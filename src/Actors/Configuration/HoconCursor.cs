using System.Text;

namespace Troupe.Actors.Configuration;

/// <summary>The characters of a HOCON text: blanks, comments, keys, and pieces of values, each read strictly.</summary>
internal sealed class HoconCursor(string name, string text)
{
    private int _at;

    /// <summary>Counted from 1.</summary>
    public int Line { get; private set; } = 1;

    public bool AtEnd => _at >= text.Length;

    /// <summary>The character here; 0 at the end.</summary>
    public char Peek => AtEnd ? '\0' : text[_at];

    /// <summary>At a line feed, a comment, or the end.</summary>
    public bool AtLineEnd => AtEnd || Peek == '\n' || AtComment;

    private bool AtComment => Peek == '#' || Ahead("//");

    /// <summary>The character here as a message shows it.</summary>
    public string Shown => AtEnd ? "the end" : Peek == '\n' ? "the end of the line"
        : char.IsControl(Peek) || char.IsWhiteSpace(Peek) || Peek is '\uFEFF' or '\u200B' ? $"the invisible character U+{(int)Peek:X4}"
            : $"'{Peek}'";

    public ConfigException Refuse(string problem) => ConfigException.At(name, Line, problem);

    public bool Ahead(string wanted) => string.CompareOrdinal(text, _at, wanted, 0, wanted.Length) == 0;

    public bool Take(char wanted)
    {
        if (AtEnd || text[_at] != wanted) return false;
        Next();
        return true;
    }

    /// <summary>Passes blanks within the line.</summary>
    public void SkipBlanks()
    {
        while (Peek is ' ' or '\t') _at++;
        if (Ahead("/*")) throw Refuse("/* */ is no comment in HOCON: use # or //");
    }

    /// <summary>Passes blanks, comments and line feeds.</summary>
    public void SkipLines()
    {
        while (true)
        {
            SkipBlanks();
            if (AtComment)
            {
                while (!AtEnd && Peek != '\n') _at++;
            }
            if (!Take('\n')) return;
        }
    }

    /// <summary>A key of one or more parts, with quotes around the parts that need them.</summary>
    public string Key()
    {
        var key = new StringBuilder();
        do
        {
            string part = Peek == '"' ? QuotedKey() : Run(IsKeyCharacter);
            if (part.Length == 0) throw Refuse($"{Shown} where a key was wanted: a key is letters, digits, - and _, or in quotes");
            if (Ahead("//")) throw Refuse("// inside a key starts a comment: put the key in quotes");
            if (key.Length > 0) key.Append('.');
            key.Append(part.All(IsKeyCharacter) ? part : HoconText.Quote(part));
        }
        while (Take('.'));
        return key.ToString();
    }

    /// <summary>Text in one or three quotes.</summary>
    /// <returns>What it stands for.</returns>
    public string Quoted()
    {
        if (Ahead("\"\"\"")) return Raw();
        Take('"');
        var value = new StringBuilder();
        while (Peek != '"')
        {
            if (AtEnd || Peek == '\n')
                throw Refuse("this line ends inside a quoted text: close it with \", or write \\n, or use \"\"\" for several lines");
            value.Append(Peek == '\\' ? Escape() : Next());
        }
        Take('"');
        return value.ToString();
    }

    /// <summary>Text without quotes, to the next blank or end of the value.</summary>
    public void Unquoted()
    {
        Run(c => !char.IsWhiteSpace(c) && !char.IsControl(c) && !"$\"{}[]:=,#`^?!@*&\\\uFEFF\u200B".Contains(c));
        if (AtEnd || Peek is ' ' or '\t' or '\n' or ',' or '}' or ']' or '"' or '$' or '{' or '[') return;
        throw Refuse(Ahead("/*") || (Peek == '*' && _at > 0 && text[_at - 1] == '/') ? "/* */ is no comment in HOCON: use # or //"
            : Ahead("//") || Peek == '#' ? "a comment right after unquoted text: put a blank between them, or the value in quotes"
            : $"{Shown} in a value without quotes: put the value in quotes");
    }

    /// <summary>A ${path}.</summary>
    /// <returns>The path.</returns>
    public string Reference()
    {
        if (Ahead("${?")) throw Refuse("${?..} is not understood by Akka.NET and would lose the rest of the object: write the value");
        if (!Ahead("${")) throw Refuse("'$' in a value without quotes: put the value in quotes");
        _at += 2;
        string path = Run(c => IsKeyCharacter(c) || c == '.');
        if (path.Length == 0 || path.Split('.').Contains("") || !Take('}'))
            throw Refuse("a reference is ${path} with a path of letters, digits, -, _ and dots, and nothing else");
        return path;
    }

    private static bool IsKeyCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '/';

    private string QuotedKey()
    {
        if (Ahead("\"\"\"")) throw Refuse("a key has one quote on each side");
        string key = Quoted();
        // Akka.NET cannot look up such a key by its path.
        return key.Contains('"') ? throw Refuse("a key holds no quotes") : key;
    }

    /// <summary>Characters as long as they fit; a comment ends them too.</summary>
    private string Run(Func<char, bool> fits)
    {
        int start = _at;
        while (!AtEnd && fits(text[_at]) && !Ahead("//") && !Ahead("/*")) _at++;
        return text[start.._at];
    }

    private string Raw()
    {
        int opened = Line;
        _at += 3;
        int start = _at;
        while (!Ahead("\"\"\""))
        {
            if (AtEnd) throw Refuse($"the file ends before the \"\"\" of line {opened} is closed");
            Next();
        }
        string value = text[start.._at];
        _at += 3;
        if (Peek == '"') throw Refuse("more than three quotes at the end of a text: Akka.NET would start another text here");
        return value;
    }

    private char Escape()
    {
        Take('\\');
        char code = AtEnd ? '\n' : Next();
        if (code == 'u')
        {
            string hex = text.Substring(_at, Math.Min(4, text.Length - _at));
            if (hex.Length < 4 || !hex.All(char.IsAsciiHexDigit)) throw Refuse("\\u wants four hexadecimal digits");
            _at += 4;
            return (char)Convert.ToInt32(hex, 16);
        }
        int index = "\"\\/bfnrt".IndexOf(code, StringComparison.Ordinal);
        return index >= 0 ? "\"\\/\b\f\n\r\t"[index]
            : throw Refuse("a backslash in quotes stands before one of \" \\ / b f n r t u: write \\\\ for a backslash");
    }

    private char Next()
    {
        char c = text[_at++];
        if (c == '\n') Line++;
        return c;
    }
}
