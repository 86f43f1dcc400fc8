using System.Globalization;
using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>
/// Reads the part of HOCON that Akka.NET reads as written (akka-api.md section 7). What it would misread without a word
/// (+=, ${?x}, a missing value, braces that do not match) is an error here.
/// </summary>
internal sealed class HoconParser
{
    private const int MaxCharacters = 1 << 20;
    private const int MaxDepth = 64;
    private const string NotUnquoted = "$\"{}[]:=,#`^?!@*&\\";

    private readonly string _text;
    private readonly HoconSource _root = new();
    private int _at;
    private int _depth;

    private HoconParser(string text) => _text = text;

    public static HoconValue Parse(string text)
    {
        if (text.Length > MaxCharacters)
            throw new ConfigurationException($"a configuration has at most {MaxCharacters} characters, got {text.Length}");
        var parser = new HoconParser(text);
        parser.SkipBlank(lines: true);
        bool braces = parser.Take('{');
        parser.ReadFields(parser._root, braces ? '}' : '\0');
        parser.SkipBlank(lines: true);
        if (parser._at < text.Length) throw parser.Error($"nothing may follow here, got '{parser.Peek}'");
        return new HoconResolver(parser._root).Resolve();
    }

    /// <summary>a."b.c".d as its keys.</summary>
    public static List<string> SplitPath(string path)
    {
        var parser = new HoconParser(path);
        var keys = parser.ReadKey();
        return parser._at == path.Length ? keys : throw parser.Error($"a dot must come before '{parser.Peek}' in the path {path}");
    }

    private char Peek => _at < _text.Length ? _text[_at] : '\0';

    private bool Take(char wanted)
    {
        if (_at >= _text.Length || _text[_at] != wanted) return false;
        _at++;
        return true;
    }

    private bool AtComment => Peek == '#' || (Peek == '/' && _at + 1 < _text.Length && _text[_at + 1] == '/');

    private bool AtUnquoted => _at < _text.Length && !NotUnquoted.Contains(Peek) && !char.IsWhiteSpace(Peek) && !AtComment;

    /// <summary>Passes blanks and comments, and ends of lines if asked. True when there was an end of line.</summary>
    private bool SkipBlank(bool lines)
    {
        bool passed = false;
        while (_at < _text.Length)
        {
            if (AtComment)
            {
                while (_at < _text.Length && _text[_at] != '\n') _at++;
            }
            else if (_text[_at] == '\n' ? lines : char.IsWhiteSpace(_text[_at]) || _text[_at] == '\uFEFF') passed |= _text[_at++] == '\n';
            else break;
        }
        return passed;
    }

    private void ReadFields(HoconSource target, char close)
    {
        if (++_depth > MaxDepth) throw Error($"objects nest at most {MaxDepth} deep");
        for (SkipBlank(lines: true); _at < _text.Length && Peek != close; EndField(close))
        {
            var keys = ReadKey();
            SkipBlank(lines: false);
            if (Peek == '+' && _at + 1 < _text.Length && _text[_at + 1] == '=') throw Error("+= is not supported; write the whole list");
            bool assigned = Take('=') || Take(':');
            if (!assigned && Peek != '{') throw Error($"'=', ':' or '{{' must follow the key {string.Join('.', keys)}");
            SkipBlank(lines: false);
            ReadInto(target, keys);
            if (assigned) continue;
            int end = _at;
            SkipBlank(lines: true);
            if (Peek == ',') throw new FormatException(Where("a comma must not follow `key { }`; start a new line, or write `key = { }`"));
            _at = end;
        }
        _depth--;
        if (close != '\0' && !Take(close)) throw Error($"'{close}' is missing");
    }

    /// <summary>A comma, an end of line, or the closing brace must follow a field.</summary>
    private void EndField(char close)
    {
        bool separated = SkipBlank(lines: true);
        separated |= Take(',');
        SkipBlank(lines: true);
        if (!separated && _at < _text.Length && Peek != close) throw Error($"a comma or a new line must come before '{Peek}'");
    }

    private List<string> ReadKey()
    {
        var keys = new List<string>();
        do
        {
            if (Peek == '"') keys.Add(ReadQuoted());
            else
            {
                int start = _at;
                while (AtUnquoted && Peek is not ('.' or '+')) _at++;
                if (_at == start) throw Error(_at < _text.Length ? $"a key must not have '{Peek}'" : "a key is missing");
                keys.Add(_text[start.._at]);
            }
        }
        while (Take('.'));
        if (keys is ["include"]) throw Error("include is not supported; join the texts before they are read");
        return keys;
    }

    private void ReadInto(HoconSource target, List<string> keys)
    {
        if (Peek == '{')
        {
            _at++;
            var child = target.ObjectAt(keys, this);
            ReadFields(child, '}');
            return;
        }
        target.ObjectAt(keys.GetRange(0, keys.Count - 1), this).Fields[keys[^1]] = ReadValue();
    }

    /// <summary>An array, an object inside one, or the pieces of text and substitutions up to the end of the line.</summary>
    private object ReadValue()
    {
        if (Take('[')) return ReadArray();
        if (Take('{'))
        {
            var value = new HoconSource();
            ReadFields(value, '}');
            return value;
        }
        var pieces = new HoconPieces();
        var blanks = new StringBuilder();
        while (_at < _text.Length && Peek is not ('\n' or ',' or '}' or ']') && !AtComment)
        {
            if (char.IsWhiteSpace(Peek)) blanks.Append(_text[_at++]);
            else
            {
                pieces.AddBlanks(blanks);
                if (Peek == '"') pieces.AddText(ReadQuoted());
                else if (Peek == '$') pieces.AddReference(ReadReference());
                else pieces.AddText(ReadUnquoted());
            }
        }
        return pieces.IsEmpty ? throw Error("a value is missing") : pieces;
    }

    private List<object> ReadArray()
    {
        if (++_depth > MaxDepth) throw Error($"arrays nest at most {MaxDepth} deep");
        var items = new List<object>();
        for (SkipBlank(lines: true); Peek != ']'; EndField(']'))
        {
            if (_at >= _text.Length) throw Error("']' is missing");
            items.Add(ReadValue());
        }
        _depth--;
        _at++;
        return items;
    }

    private string ReadUnquoted()
    {
        int start = _at;
        while (AtUnquoted) _at++;
        if (_at < _text.Length && Peek is ':' or '=' or '{' or '[')
            throw Error($"'{Peek}' must not follow a value; quote the text if it belongs to it");
        if (_at == start) throw new FormatException(Where($"unknown token '{Peek}'; quote text that holds it"));
        if (_text.AsSpan(start, _at - start).Contains("/*", StringComparison.Ordinal))
            throw new FormatException(Where("block comments are not supported; use # or //"));
        return _text[start.._at];
    }

    private string ReadReference()
    {
        if (_at + 1 >= _text.Length || _text[_at + 1] != '{')
            throw new FormatException(Where("unknown token '$'; quote text that holds it"));
        int end = _text.IndexOf('}', _at);
        if (end < 0) throw Error("'}' is missing after ${");
        string path = _text[(_at + 2)..end].Trim();
        if (path.StartsWith('?')) throw Error("${?x} is not supported; set a default before it");
        _at = end + 1;
        return path;
    }

    private string ReadQuoted()
    {
        if (string.CompareOrdinal(_text, _at, "\"\"\"", 0, 3) == 0)
        {
            int start = _at + 3, end = _text.IndexOf("\"\"\"", start, StringComparison.Ordinal);
            if (end < 0) throw Error("\"\"\" is not closed");
            _at = end + 3;
            return _text[start..end];
        }
        var text = new StringBuilder();
        for (_at++; _at < _text.Length && Peek != '"'; _at++)
        {
            if (Peek == '\\') text.Append(ReadEscape());
            else text.Append(Peek);
        }
        return Take('"') ? text.ToString() : throw Error("a quote is not closed");
    }

    private char ReadEscape()
    {
        _at++;
        switch (Peek)
        {
            case '"' or '\\' or '/': return Peek;
            case 'b': return '\b';
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'u' when _at + 4 < _text.Length && ushort.TryParse(_text.AsSpan(_at + 1, 4), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture, out ushort code):
                _at += 4;
                return (char)code;
            default: throw Error($"unknown escape '\\{Peek}'");
        }
    }

    internal ConfigurationException Error(string what) => new(Where(what));

    private string Where(string what)
    {
        int at = Math.Min(_at, _text.Length), line = _text.AsSpan(0, at).Count('\n') + 1;
        int column = at - (at == 0 ? -1 : _text.LastIndexOf('\n', at - 1));
        return $"line {line}, column {column}: {what}";
    }
}
