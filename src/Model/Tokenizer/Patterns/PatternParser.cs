using System.Globalization;
using System.Text;

namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>
/// Reads the regular expressions of tokenizer.json, in the syntax of the reference's engine (Oniguruma's, Ruby flavour): sets,
/// categories, groups, greedy and possessive repeats, and a look ahead at one code point. What would need more is refused.
/// </summary>
internal sealed class PatternParser
{
    private const int MaxDepth = 32, MaxRepeat = 1000, MaxLength = 8192, MaxEdges = 100_000;

    private readonly int[] _text;
    private int _at, _depth, _edges;
    private bool _ignoreCase;

    private PatternParser(string pattern) => _text = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];

    /// <summary>The tree of a pattern.</summary>
    /// <exception cref="FormatException">It is broken or uses what is not supported; the message says where.</exception>
    public static PatternNode Parse(string pattern)
    {
        if (pattern.Length > MaxLength) throw new FormatException($"has {pattern.Length} characters, at most {MaxLength} are read");
        var parser = new PatternParser(pattern);
        PatternNode node = parser.Choice();
        return parser._at == parser._text.Length ? node : throw parser.Wrong("a closing parenthesis that opens nowhere");
    }

    /// <summary>The tree of a text that stands for itself.</summary>
    public static PatternNode Literal(string text) =>
        new PatternNode.Sequence([.. text.EnumerateRunes().Select(rune => new PatternNode.One(CodePointSet.One(rune.Value)))]);

    private PatternNode Choice()
    {
        if (++_depth > MaxDepth) throw Wrong($"more than {MaxDepth} groups in each other");
        var parts = new List<PatternNode> { Sequence() };
        while (Take('|')) parts.Add(Sequence());
        _depth--;
        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode Sequence()
    {
        var parts = new List<PatternNode>();
        while (_at < _text.Length && _text[_at] is not ('|' or ')')) parts.Add(Repeats(Atom()));
        return parts.Count == 1 ? parts[0] : new PatternNode.Sequence(parts);
    }

    private PatternNode Atom()
    {
        int c = _text[_at++];
        switch (c)
        {
            case '(': return Group();
            case '[': return new PatternNode.One(Set());
            case '.': return new PatternNode.One(CodePointSet.One('\n').Complement());
            // The end of a line: the text's end, or before a line feed.
            case '$': return new PatternNode.Ahead(CodePointSet.One('\n').Complement(), Negated: true);
            case '\\': return new PatternNode.One(Escape(inSet: false));
            case '^' or '*' or '+' or '?': throw Wrong($"'{(char)c}'", back: 1);
            default: return new PatternNode.One(Folded(c));
        }
    }

    private PatternNode Group()
    {
        bool ignoreCase = _ignoreCase;
        if (!Take('?')) return Closed(Choice());
        if (Take(':')) return Closed(Choice());
        if (Peek('=') || Peek('!'))
        {
            bool negated = _text[_at++] == '!';
            return Closed(Choice()) is PatternNode.One one
                ? new PatternNode.Ahead(one.Set, negated)
                : throw Wrong("a look ahead at more than one code point");
        }
        if (!Take('i')) throw Wrong("this kind of group");
        _ignoreCase = true;
        if (Take(')')) return new PatternNode.Sequence([]);
        if (!Take(':')) throw Wrong("this kind of group");
        PatternNode inner = Closed(Choice());
        _ignoreCase = ignoreCase;
        return inner;
    }

    private PatternNode Closed(PatternNode node) => Take(')') ? node : throw Wrong("a group that is not closed");

    private PatternNode Repeats(PatternNode part)
    {
        for (int times = 0; _at < _text.Length; times++)
        {
            (int Min, int? Max)? count =
                _text[_at] switch { '*' => (0, null), '+' => (1, null), '?' => (0, 1), '{' => Counts(), _ => null };
            if (count is not var (min, max)) break;
            bool braces = _text[_at] == '}';
            _at++;
            if (times == MaxDepth) throw Wrong($"more than {MaxDepth} repeats of each other");
            if (part is PatternNode.Ahead) throw Wrong("a repeated look ahead");
            if (Peek('?')) throw Wrong("a lazy repeat");
            // Behind braces a plus repeats once more; behind the other signs it means that nothing is given back.
            if (braces || !Take('+')) part = new PatternNode.Repeat(part, min, max);
            else part = part is PatternNode.One one ? Possessive(one, min, max) : throw Wrong("a possessive repeat of a group");
        }
        return part;
    }

    /// <summary>All there are of one set, and then none of it: so nothing is ever given back.</summary>
    private static PatternNode Possessive(PatternNode.One one, int min, int? max)
    {
        var none = new PatternNode.Ahead(one.Set, Negated: true);
        return max == 1
            ? new PatternNode.Choice([one, none])
            : new PatternNode.Sequence([new PatternNode.Repeat(one, min, max), none]);
    }

    /// <summary>Counts in braces; the place is then that of the closing one. Null where the brace stands for itself.</summary>
    private (int, int?)? Counts()
    {
        int end = Array.IndexOf(_text, '}', _at);
        if (end < 0) throw Wrong("a brace that is not closed");
        string inside = string.Concat(_text[(_at + 1)..end].Select(c => new Rune(c).ToString()));
        string[] parts = inside.Split(',');
        if (parts.Length > 2 || !Count(parts[0], out int min)) throw Wrong("these braces");
        int? max = min;
        if (parts.Length == 2) max = parts[1].Length == 0 ? null : Count(parts[1], out int most) && most >= min ? most
            : throw Wrong("these counts");
        _at = end;
        return (min, max);
    }

    private static bool Count(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count <= MaxRepeat;

    private CodePointSet Set()
    {
        bool negated = Take('^');
        var parts = new List<CodePointSet>();
        bool first = true;
        for (; ; first = false)
        {
            if (_at >= _text.Length) throw Wrong("a set that is not closed");
            if (!first && Take(']')) break;
            if (_text[_at] == '&' && _at + 1 < _text.Length && _text[_at + 1] == '&') throw Wrong("an intersection of sets");
            if (Take('['))
            {
                if (Peek(':')) throw Wrong("a named set in brackets");
                if (++_depth > MaxDepth) throw Wrong($"more than {MaxDepth} sets in each other");
                parts.Add(Set());
                _depth--;
            }
            else
            {
                parts.Add(Member());
            }
            // A category has a thousand edges, and all of a set are sorted.
            if ((_edges += parts[^1].Edges.Length) > MaxEdges) throw Wrong($"sets of more than {MaxEdges} ranges");
        }
        var all = CodePointSet.Union(parts);
        return negated ? all.Complement() : all;
    }

    private CodePointSet Member()
    {
        CodePointSet low = Take('\\') ? Escape(inSet: true) : CodePointSet.One(_text[_at++]);
        bool range = Peek('-') && _at + 1 < _text.Length && _text[_at + 1] is not (']' or '[');
        if (!range || low.Edges.Length != 2 || low.Edges[1] != low.Edges[0] + 1) return Folded(low);
        _at++;
        CodePointSet high = Take('\\') ? Escape(inSet: true) : CodePointSet.One(_text[_at++]);
        if (high.Edges.Length != 2 || high.Edges[1] != high.Edges[0] + 1 || high.Edges[0] < low.Edges[0]) throw Wrong("this range");
        return Folded(CodePointSet.Range(low.Edges[0], high.Edges[0]));
    }

    private CodePointSet Escape(bool inSet)
    {
        if (_at >= _text.Length) throw Wrong("a backslash at the end");
        int c = _text[_at++];
        return c switch
        {
            'n' => CodePointSet.One('\n'),
            'r' => CodePointSet.One('\r'),
            't' => CodePointSet.One('\t'),
            'f' => CodePointSet.One('\f'),
            'v' => CodePointSet.One('\v'),
            's' => CodePointSet.Space,
            'S' => CodePointSet.Space.Complement(),
            'd' => CodePointSet.Category("Nd")!,
            'D' => CodePointSet.Category("Nd")!.Complement(),
            'w' => CodePointSet.Word,
            'W' => CodePointSet.Word.Complement(),
            'p' or 'P' => Property(c == 'P'),
            'u' => CodePointSet.One(Hex(4)),
            'x' => CodePointSet.One(Peek('{') ? HexInBraces() : Hex(2)),
            < 128 when !char.IsAsciiLetterOrDigit((char)c) => CodePointSet.One(c),
            >= 128 => CodePointSet.One(c),
            _ => throw Wrong($"\\{(char)c}{(inSet ? " in a set" : "")}", back: 2),
        };
    }

    private CodePointSet Property(bool negated)
    {
        int end = Peek('{') ? Array.IndexOf(_text, '}', _at) : -1;
        if (end < 0) throw Wrong("a category without braces");
        string name = string.Concat(_text[(_at + 1)..end].Select(c => new Rune(c).ToString()));
        if (name.StartsWith('^')) (negated, name) = (!negated, name[1..]);
        CodePointSet set = CodePointSet.Category(name) ?? throw Wrong($"the category {name}");
        _at = end + 1;
        return negated ? set.Complement() : set;
    }

    private int HexInBraces()
    {
        int end = Array.IndexOf(_text, '}', _at);
        if (end < 0) throw Wrong("a brace that is not closed");
        _at++;
        int code = Hex(end - _at);
        _at++;
        return code;
    }

    private int Hex(int digits)
    {
        int code = 0;
        if (digits is < 1 or > 6 || _at + digits > _text.Length) throw Wrong("this code point");
        for (int i = 0; i < digits; i++)
        {
            int c = _text[_at++];
            if (c >= 128 || !char.IsAsciiHexDigit((char)c)) throw Wrong("this code point");
            code = code * 16 + Convert.ToInt32(((char)c).ToString(), 16);
        }
        return Rune.IsValid(code) ? code : throw Wrong("this code point");
    }

    private CodePointSet Folded(int code) => Folded(CodePointSet.One(code));

    /// <summary>With ignored case also the other case of Latin letters; two more letters fold to them, the long s and the kelvin
    /// sign.</summary>
    private CodePointSet Folded(CodePointSet set)
    {
        if (!_ignoreCase) return set;
        // Wide sets (categories, negations) hold both cases or are what they are in the reference too.
        if (set.Edges is not [var first, var end] || end - first > 64) return set;
        var parts = new List<CodePointSet> { set };
        for (int code = first; code < end; code++)
        {
            if (code >= 128 && Rune.IsValid(code)
                && Rune.IsLetter(new Rune(code))) throw Wrong("a letter beyond ASCII where case is ignored");
            if (code >= 128 || !char.IsAsciiLetter((char)code)) continue;
            parts.Add(CodePointSet.One(code ^ 0x20));
            if ((code | 0x20) == 's') parts.Add(CodePointSet.One(0x17F));
            if ((code | 0x20) == 'k') parts.Add(CodePointSet.One(0x212A));
        }
        return CodePointSet.Union(parts);
    }

    private bool Peek(char c) => _at < _text.Length && _text[_at] == c;

    private bool Take(char c)
    {
        if (!Peek(c)) return false;
        _at++;
        return true;
    }

    private FormatException Wrong(string what, int back = 0) => new($"has {what} at character {_at - back + 1}, which is not supported");
}
