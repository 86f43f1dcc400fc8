using System.Text.RegularExpressions;

namespace Troupe.Cli.Tests.Tidy;

/// <summary>
/// A method, constructor, operator or accessor of a source file. Lines count from 1; attributes and comments above it do not belong to it.
/// </summary>
internal sealed record Method(string Name, int Line, int Lines);

/// <summary>
/// Finds the methods of a C# file by its braces and semicolons: enough to measure them. Local functions and lambdas count for their method.
/// </summary>
internal sealed partial class MemberScan
{
    private readonly string _code;
    private readonly List<Method> _methods = [];
    private int _at;

    private MemberScan(string code) => _code = code;

    /// <summary>All methods of a source, in order.</summary>
    public static IReadOnlyList<Method> Methods(string source)
    {
        var scan = new MemberScan(CodeMask.Of(source));
        scan.Members();
        return scan._methods;
    }

    /// <summary>The members of a type, a namespace or a file, past the closing brace.</summary>
    private void Members()
    {
        while (true)
        {
            SkipBlanks();
            if (_at >= _code.Length) return;
            if (_code[_at] == '}')
            {
                _at++;
                return;
            }
            Member();
        }
    }

    private void Member()
    {
        while (_at < _code.Length && _code[_at] == '[')
        {
            SkipPair('[', ']');
            SkipBlanks();
        }
        int start = _at;
        bool assigned = false;
        for (; _at < _code.Length; _at++)
        {
            char c = _code[_at];
            if (c == '(') SkipPair('(', ')', stayOnLast: true);
            else if (c == '[') SkipPair('[', ']', stayOnLast: true);
            else if (c == '=' && !IsOperatorName(start)) assigned = true;
            else if (c == ';') break;
            else if (c == '}') return;
            else if (c == '{')
            {
                if (assigned) SkipPair('{', '}', stayOnLast: true);
                else
                {
                    Body(start, _code[start.._at]);
                    return;
                }
            }
        }
        if (_at < _code.Length) _at++;
        string statement = _code[start..Math.Min(_at, _code.Length)];
        if (Parameters(statement) && statement.Contains("=>", StringComparison.Ordinal)) Note(start, statement);
    }

    /// <summary>What stands in braces after a header.</summary>
    private void Body(int start, string header)
    {
        if (TypeHeader().IsMatch(header.Split('(')[0]))
        {
            _at++;
            Members();
        }
        else if (Parameters(header))
        {
            SkipPair('{', '}');
            Note(start, header);
        }
        else
        {
            // A property, an event, an indexer: its accessors are measured one by one.
            _at++;
            Accessors();
        }
    }

    private void Accessors()
    {
        while (true)
        {
            SkipBlanks();
            if (_at >= _code.Length) return;
            if (_code[_at] == '}')
            {
                _at++;
                return;
            }
            int start = _at;
            while (_at < _code.Length && _code[_at] is not ('{' or ';' or '}')) _at++;
            if (_at < _code.Length && _code[_at] == '{') SkipPair('{', '}');
            else if (_at < _code.Length && _code[_at] == ';') _at++;
            Note(start, _code[start.._at]);
        }
    }

    private void Note(int start, string header)
    {
        int end = _at;
        while (end > start && char.IsWhiteSpace(_code[end - 1])) end--;
        string name = NameBeforeParameters().Match(header) is { Success: true } match && !Accessor().IsMatch(header)
            ? match.Groups["name"].Value : header.Trim().Split(' ', '\n', '{', ';')[0];
        _methods.Add(new Method(name, _code.AsSpan(0, start).Count('\n') + 1, _code.AsSpan(start, end - start).Count('\n') + 1));
    }

    /// <summary>Whether there are parameters before any value: a method, not a field or property.</summary>
    private static bool Parameters(string header)
    {
        int open = header.IndexOf('('), value = header.IndexOf('=');
        return open >= 0 && (value < 0 || open < value || header.Contains(" operator ", StringComparison.Ordinal));
    }

    private bool IsOperatorName(int start) =>
        _code[start.._at].TrimEnd('=', '!', '<', '>', ' ').EndsWith(" operator", StringComparison.Ordinal);

    private void SkipBlanks()
    {
        while (_at < _code.Length && char.IsWhiteSpace(_code[_at])) _at++;
    }

    private void SkipPair(char open, char close, bool stayOnLast = false)
    {
        int depth = 0;
        for (; _at < _code.Length; _at++)
        {
            if (_code[_at] == open) depth++;
            else if (_code[_at] == close && --depth == 0) break;
        }
        if (!stayOnLast && _at < _code.Length) _at++;
    }

    [GeneratedRegex(@"\b(class|struct|interface|enum|record|namespace|extension)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex TypeHeader();

    [GeneratedRegex(@"^\s*((private|protected|internal)\s+)*(get|set|init|add|remove)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Accessor();

    [GeneratedRegex(@"(?<name>[\w.]+|[=!<>+*/%&|^~-]+)\s*(<[^()]*>)?\s*\(", RegexOptions.ExplicitCapture)]
    private static partial Regex NameBeforeParameters();
}
