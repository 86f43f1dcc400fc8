using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Jinja's filters and tests. Those of lists are in <see cref="ListFilters"/>.</summary>
internal sealed class Filters
{
    private static readonly HashSet<string> Names = [.. ("default d trim upper lower capitalize title string safe escape e forceescape "
        + "replace indent length count wordcount tojson int float abs round format attr list first last reverse join map select reject "
        + "selectattr rejectattr sort unique min max sum groupby batch slice items dictsort center truncate wordwrap striptags urlencode "
        + "filesizeformat").Split(' ')];

    private static readonly HashSet<string> Tests = [.. ("defined undefined none boolean true false integer float number string mapping "
        + "iterable sequence callable escaped odd even divisibleby lower upper eq equalto == ne != lt lessthan < le <= gt greaterthan > "
        + "ge >= filter test in sameas").Split(' ')];

    private readonly TemplateBudget _budget;
    private readonly ListFilters _lists;

    public Filters(TemplateBudget budget) => (_budget, _lists) = (budget, new ListFilters(budget, this));

    /// <summary>A filter of a value.</summary>
    public object? Apply(string name, object? value, CallArguments arguments)
    {
        _budget.Spend();
        // A filter may apply others to items of items.
        _budget.Enter();
        if (value is string given) _budget.Look(given.Length);
        object? result = Plain(name, value, arguments) is { } plain ? plain.Value
            : _lists.Apply(name, value, arguments) is { } list ? list.Value
            : TextFilters.Apply(name, value, arguments, _budget) is { } laidOut ? laidOut.Value
            : throw new TemplateFault($"No filter named '{name}'.");
        arguments.Done(name);
        if (result is string text) _budget.Room(text.Length);
        _budget.Leave();
        return result;
    }

    /// <summary>Whether a test holds for a value.</summary>
    public bool Test(string name, object? value, CallArguments arguments)
    {
        if (value is string given) _budget.Look(given.Length);
        bool holds = name switch
        {
            "defined" => value is not Undefined,
            "undefined" => value is Undefined,
            "none" => value is null,
            "boolean" => value is bool,
            "true" => value is true,
            "false" => value is false,
            "integer" => value is long,
            "float" => value is double,
            "number" => value is long or double or bool,
            "string" => value is string,
            "mapping" => value is Map,
            "iterable" => value is Lazy || Values.ItemsOf(value) is not null,
            "sequence" => value is string or List<object?> or Fixed or Map or Undefined,
            "callable" => value is Function,
            "escaped" => false,
            "odd" => Whole(value) % 2 != 0,
            "even" => Whole(value) % 2 == 0,
            "divisibleby" => Arithmetic.Of("%", value, arguments.Must("num")) is 0L or 0.0,
            "lower" => Values.Text(value) is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
            "upper" => Values.Text(value) is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
            "eq" or "equalto" or "==" => Values.Same(value, arguments.Must("other")),
            "ne" or "!=" => !Values.Same(value, arguments.Must("other")),
            "lt" or "lessthan" or "<" => Values.Order(value, arguments.Must("other")) < 0,
            "le" or "<=" => Values.Order(value, arguments.Must("other"), "<=") <= 0,
            "gt" or "greaterthan" or ">" => Values.Order(value, arguments.Must("other"), ">") > 0,
            "ge" or ">=" => Values.Order(value, arguments.Must("other"), ">=") >= 0,
            "filter" => value is string filter && Names.Contains(filter),
            "test" => value is string test && Tests.Contains(test),
            "in" => new Members(_budget).Contains(arguments.Must("seq"), value),
            "sameas" => IsSame(value, arguments.Must("other")),
            _ => throw new TemplateFault($"No test named '{name}'."),
        };
        arguments.Done(name);
        return holds;
    }

    /// <summary>The items of a value that must be one to loop over.</summary>
    public static IReadOnlyList<object?> Items(object? value) =>
        Values.ItemsOf(value) ?? throw new TemplateFault($"'{Values.Kind(value)}' object is not iterable");

    /// <summary>A mapping with the same items.</summary>
    public static Map Copy(Map map)
    {
        var copy = new Map();
        foreach ((object key, object? value) in map) copy[key] = value;
        return copy;
    }

    /// <summary>The texts of items with a separator between them. Strict: only strings may be joined.</summary>
    public static string Join(IReadOnlyList<object?> items, string separator, TemplateBudget budget, bool strict = false)
    {
        var text = new StringBuilder();
        for (int i = 0; i < items.Count; i++)
        {
            if (strict && items[i] is not string)
                throw new TemplateFault($"sequence item {i}: expected str instance, {Values.Kind(items[i])} found");
            if (i > 0) text.Append(separator);
            text.Append(Values.Text(items[i]));
            budget.Spend();
            if (text.Length > TemplateBudget.MaxText) budget.Room(text.Length);
        }
        return text.ToString();
    }

    private Box? Plain(string name, object? value, CallArguments arguments) => name switch
    {
        "default" or "d" => new Box(Default(value, arguments)),
        "trim" => new Box(PythonText.Strip(Values.Text(value), arguments.Or("chars", null) as string)),
        "upper" => new Box(PythonText.Upper(Values.Text(value))),
        "lower" => new Box(Values.Text(value).ToLowerInvariant()),
        "capitalize" => new Box(PythonText.Capitalize(Values.Text(value))),
        "title" => new Box(Title(Values.Text(value))),
        "string" or "safe" => new Box(Values.Text(value)),
        "escape" or "e" or "forceescape" => new Box(Escape(Values.Text(value))),
        "replace" => new Box(Replace(Values.Text(value), arguments)),
        "indent" => new Box(Indent(Values.Text(value), arguments)),
        "length" or "count" => new Box(Values.Length(value)),
        "wordcount" => new Box((long)PythonText.Words(Values.Text(value), -1).Count),
        "tojson" => new Box(Json(value, arguments)),
        "int" => new Box(Conversions.Whole(value, arguments)),
        "float" => new Box(Conversions.Real(value, arguments)),
        "abs" => new Box(value is double real ? (object)Math.Abs(real) : Absolute(Whole(value))),
        "round" => new Box(Conversions.Round(value, arguments)),
        "format" => new Box(Formats.Percent(Values.Text(value), 
            arguments.Named.Count > 0 ? arguments.TakeNamed() : new Fixed(All(arguments)))),
        "attr" => new Box(value is Map ? new Undefined("a mapping has no such attribute")
            : new Members(_budget).Member(value, arguments.Text("name"))),
        _ => null,
    };

    private static List<object?> All(CallArguments arguments)
    {
        var all = new List<object?>();
        while (arguments.More) all.Add(arguments.Must(""));
        return all;
    }

    private static object? Default(object? value, CallArguments arguments)
    {
        object? fallback = arguments.Or("default_value", "");
        bool alsoFalse = Values.Truth(arguments.Or("boolean", false));
        return value is Undefined || (alsoFalse && !Values.Truth(value)) ? fallback : value;
    }

    private string Replace(string text, CallArguments arguments)
    {
        string old = Values.Text(arguments.Must("old")), changed = Values.Text(arguments.Must("new"));
        long most = arguments.Or("count", null) is { } count ? Values.AsLong(count) ?? -1 : -1;
        _budget.Search(text, old);
        _budget.Room((text.Length + 1L) * (changed.Length + 1L) / Math.Max(1, old.Length));
        return PythonText.Replace(text, old, changed, most);
    }

    private string Indent(string text, CallArguments arguments)
    {
        object? width = arguments.Or("width", 4L);
        bool first = Values.Truth(arguments.Or("first", false)), blank = Values.Truth(arguments.Or("blank", false));
        if (Values.AsLong(width) is { } columns) _budget.Room(columns);
        string indent = width as string ?? new string(' ', (int)Math.Max(0, Values.AsLong(width) ?? 4));
        // A line end is added so that a last empty line counts, as in the reference.
        List<object?> lines = PythonText.Lines(text + "\n");
        _budget.Room((lines.Count + 1L) * indent.Length + text.Length);
        IEnumerable<string> rest = lines.Skip(1).Cast<string>().Select(line => blank || line.Length > 0 ? indent + line : line);
        return (first ? indent : "") + string.Join('\n', lines.Take(1).Cast<string>().Concat(rest));
    }

    private string Json(object? value, CallArguments arguments)
    {
        bool ascii = Values.Truth(arguments.Or("ensure_ascii", false));
        object? indent = arguments.Or("indent", null), separators = arguments.Or("separators", null);
        bool sorted = Values.Truth(arguments.Or("sort_keys", false));
        string? level = indent switch
        {
            null => null,
            string text => text,
            _ => new string(' ', (int)Math.Clamp(Values.AsLong(indent) ?? throw new TemplateFault("indent must be a whole number"), 0, 64)),
        };
        (string item, string key) = (level is null ? ", " : ",", ": ");
        if (separators is not null)
            (item, key) = Values.ItemsOf(separators) is [string one, string other] ? (one, other)
                : throw new TemplateFault("separators must be two strings");
        return JsonText.Write(value, new JsonText.Form(level, item, key, ascii, sorted), _budget);
    }

    private static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool begins = true;
        foreach (char c in text)
        {
            result.Append(begins ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            begins = PythonText.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
        }
        return result.ToString();
    }

    private string Escape(string text)
    {
        _budget.Room(text.Length + 4L * text.Count(c => c is '&' or '<' or '>' or '\'' or '"'));
        return Escaped(text);
    }

    private static string Escaped(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    private static long Whole(object? value) =>
        Values.AsLong(value) ?? throw new TemplateFault($"a whole number is wanted, got {Values.Kind(value)}");

    private static long Absolute(long value) =>
        value == long.MinValue ? throw new TemplateFault("a whole number grows beyond 64 bits") : Math.Abs(value);

    private static bool IsSame(object? a, object? b) => a switch
    {
        null => b is null,
        bool or long or double or string => a.Equals(b),
        _ => ReferenceEquals(a, b),
    };
}
