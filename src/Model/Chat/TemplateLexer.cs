using System.Globalization;
using System.Text;

namespace Troupe.Model.Chat;

/// <summary>
/// Cuts a Jinja template into tokens, with the white space rules that chat templates are rendered with: the line end behind a
/// statement or comment goes (trim_blocks), and so do blanks before one that begins its line (lstrip_blocks).
/// </summary>
internal sealed class TemplateLexer
{
    private const int MaxTokens = 200_000;
    private static readonly string[] Signs = ["**", "//", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "(", ")", "[", "]",
        "{", "}", "<", ">", "=", ".", ":", "|", ",", ";"];

    private readonly string _text;
    private readonly List<TemplateToken> _tokens = [];
    private int _at, _line = 1;
    // Whether what was read last ended a line, so that blanks that follow begin one.
    private bool _lineStarts = true;

    private TemplateLexer(string text) => _text = text;

    /// <summary>The tokens of a template; the last one is of kind End.</summary>
    /// <exception cref="TemplateFault">The template is broken.</exception>
    public static IReadOnlyList<TemplateToken> Read(string template)
    {
        // One line end at the very end does not count; all line ends are line feeds.
        string text = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        var lexer = new TemplateLexer(text.EndsWith('\n') ? text[..^1] : text);
        while (lexer._at < lexer._text.Length) lexer.DataAndTag();
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    private void DataAndTag()
    {
        int tag = NextTag(_at);
        if (tag < 0)
        {
            Data(_text[_at..]);
            Advance(_text.Length);
            return;
        }
        char kind = _text[tag + 1], sign = tag + 2 < _text.Length ? _text[tag + 2] : ' ';
        Data(Stripped(_text[_at..tag], kind, sign));
        Advance(tag);
        bool signed = sign is '-' or '+' && !(kind == '{' && sign == '+');
        if (kind == '#') Comment();
        else if (kind == '%' && RawBegins(tag + (signed ? 3 : 2)) is { } inside) Raw(inside);
        else Tag(kind, tag + (signed ? 3 : 2));
    }

    private string Stripped(string data, char kind, char sign)
    {
        if (sign == '-') return data.TrimEnd();
        if (sign == '+' || kind == '{') return data;
        int line = data.LastIndexOf('\n') + 1;
        bool begins = line > 0 || _lineStarts;
        return begins && data.AsSpan(line).IsWhiteSpace() ? data[..line] : data;
    }

    private void Tag(char kind, int inside)
    {
        bool output = kind == '{';
        Add(output ? TokenKind.OutputBegin : TokenKind.BlockBegin, "");
        Advance(inside);
        string close = output ? "}}" : "%}";
        for (int depth = 0; ;)
        {
            while (_at < _text.Length && char.IsWhiteSpace(_text[_at])) Advance(_at + 1);
            if (_at >= _text.Length) throw new TemplateFault($"a tag is not closed with {close}", _line);
            if (depth == 0 && EndLength(close) is > 0 and int end)
            {
                Add(output ? TokenKind.OutputEnd : TokenKind.BlockEnd, "");
                Advance(_at + end);
                return;
            }
            Expression(ref depth);
        }
    }

    /// <summary>How long the end of a tag is that stands here, with the white space that goes with it; 0 if none does.</summary>
    private int EndLength(string close)
    {
        if (Stands(_at, "-" + close))
        {
            int end = _at + 1 + close.Length;
            while (end < _text.Length && char.IsWhiteSpace(_text[end])) end++;
            return end - _at;
        }
        if (close != "}}" && Stands(_at, "+" + close)) return 1 + close.Length;
        if (!Stands(_at, close)) return 0;
        return close.Length + (close != "}}" && Stands(_at + close.Length, "\n") ? 1 : 0);
    }

    private void Comment()
    {
        int end = _text.IndexOf("#}", _at + 2, StringComparison.Ordinal);
        if (end < 0) throw new TemplateFault("a comment is not closed with #}", _line);
        char before = _text[end - 1];
        Advance(before is '-' or '+' && end - 1 >= _at + 2 ? end - 1 : end);
        Advance(_at + EndLength("#}"));
    }

    private int? RawBegins(int at)
    {
        while (at < _text.Length && char.IsWhiteSpace(_text[at])) at++;
        if (!Stands(at, "raw")) return null;
        at += 3;
        while (at < _text.Length && char.IsWhiteSpace(_text[at])) at++;
        return Stands(at, "%}") || Stands(at, "-%}") ? at : null;
    }

    private void Raw(int inside)
    {
        Advance(inside);
        // The line end behind it stays, unlike behind any other statement.
        Advance(_at + (Stands(_at, "%}") ? 2 : EndLength("%}")));
        for (int at = _at; (at = _text.IndexOf("{%", at, StringComparison.Ordinal)) >= 0; at += 2)
        {
            char sign = at + 2 < _text.Length ? _text[at + 2] : ' ';
            int name = at + (sign is '-' or '+' ? 3 : 2);
            while (name < _text.Length && char.IsWhiteSpace(_text[name])) name++;
            if (!Stands(name, "endraw")) continue;
            int end = name + 6;
            while (end < _text.Length && char.IsWhiteSpace(_text[end])) end++;
            Data(Stripped(_text[_at..at], '%', sign));
            Advance(end);
            int length = EndLength("%}");
            if (length == 0) break;
            Advance(_at + length);
            return;
        }
        throw new TemplateFault("raw is not closed with endraw", _line);
    }

    private void Expression(ref int depth)
    {
        char c = _text[_at];
        if (char.IsAsciiDigit(c)) Number();
        else if (char.IsLetter(c) || c == '_') Name();
        else if (c is '\'' or '"') String(c);
        else
        {
            string sign = Array.Find(Signs, sign => Stands(_at, sign)) ?? throw new TemplateFault($"'{c}' is not expected here", _line);
            if (sign is "(" or "[" or "{") depth++;
            if (sign is ")" or "]" or "}") depth--;
            if (depth < 0) throw new TemplateFault($"'{sign}' closes nothing", _line);
            Add(TokenKind.Sign, sign);
            Advance(_at + sign.Length);
        }
    }

    private void Name()
    {
        int end = _at;
        while (end < _text.Length && (char.IsLetterOrDigit(_text[end]) || _text[end] == '_')) end++;
        Add(TokenKind.Name, _text[_at..end]);
        Advance(end);
    }

    private void Number()
    {
        int end = _at;
        if (Stands(_at, "0x") || Stands(_at, "0X"))
        {
            Hexadecimal();
            return;
        }
        while (end < _text.Length && (char.IsAsciiDigit(_text[end]) || _text[end] == '_')) end++;
        bool whole = true;
        // Behind a point, as in a.0.1, a number has no fraction.
        if (_text[_at - 1] != '.' && end + 1 < _text.Length && _text[end] == '.' && char.IsAsciiDigit(_text[end + 1]))
        {
            whole = false;
            for (end++; end < _text.Length && char.IsAsciiDigit(_text[end]); end++) { }
        }
        if (end + 1 < _text.Length && _text[end] is 'e' or 'E' && (char.IsAsciiDigit(_text[end + 1]) || _text[end + 1] is '+' or '-'))
        {
            whole = false;
            for (end += 2; end < _text.Length && char.IsAsciiDigit(_text[end]); end++) { }
        }
        string digits = _text[_at..end].Replace("_", "", StringComparison.Ordinal);
        object? value = whole
            ? (object?)(long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null)
            : double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) ? real : null;
        Add(TokenKind.Number, digits, value ?? throw new TemplateFault($"{digits} is not a number that fits in 64 bits", _line));
        Advance(end);
    }

    private void Hexadecimal()
    {
        int end = _at + 2;
        while (end < _text.Length && (char.IsAsciiHexDigit(_text[end]) || _text[end] == '_')) end++;
        string digits = _text[(_at + 2)..end].Replace("_", "", StringComparison.Ordinal);
        if (!long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value))
            throw new TemplateFault($"0x{digits} is not a number that fits in 64 bits", _line);
        Add(TokenKind.Number, digits, value);
        Advance(end);
    }

    private void String(char quote)
    {
        var value = new StringBuilder();
        int at = _at + 1;
        for (; at < _text.Length && _text[at] != quote; at++)
        {
            if (_text[at] != '\\' || at + 1 >= _text.Length) value.Append(_text[at]);
            else at = Escape(at + 1, value);
        }
        if (at >= _text.Length) throw new TemplateFault("a string is not closed", _line);
        Add(TokenKind.Text, value.ToString());
        Advance(at + 1);
    }

    /// <summary>Python's escapes. Returns the place of the last character.</summary>
    private int Escape(int at, StringBuilder value)
    {
        const string known = "\\'\"abfnrtv\n", means = "\\'\"\a\b\f\n\r\t\v";
        char c = _text[at];
        int index = known.IndexOf(c);
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (index >= 0)
        {
            if (c != '\n') value.Append(means[index]);
        }
        else if (digits > 0 && at + digits < _text.Length
            && int.TryParse(_text.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            && Rune.IsValid(code))
        {
            value.Append(new Rune(code).ToString());
            return at + digits;
        }
        else if (digits > 0)
        {
            throw new TemplateFault($"\\{c} is not followed by {digits} digits of a character", _line);
        }
        else
        {
            value.Append('\\').Append(c);
        }
        return at;
    }

    private int NextTag(int from)
    {
        for (int at = from; (at = _text.IndexOf('{', at)) >= 0 && at + 1 < _text.Length; at++)
            if (_text[at + 1] is '{' or '%' or '#') return at;
        return -1;
    }

    private void Data(string data)
    {
        if (data.Length > 0) Add(TokenKind.Data, data);
    }

    private void Add(TokenKind kind, string text, object? value = null)
    {
        if (_tokens.Count == MaxTokens) throw new TemplateFault($"the template has more than {MaxTokens} tokens", _line);
        _tokens.Add(new TemplateToken(kind, text, _line, value));
    }

    private void Advance(int to)
    {
        if (to <= _at) return;
        _line += _text.AsSpan(_at, to - _at).Count('\n');
        _lineStarts = _text[to - 1] == '\n';
        _at = to;
    }

    private bool Stands(int at, string sign) => at <= _text.Length && _text.AsSpan(at).StartsWith(sign, StringComparison.Ordinal);
}
