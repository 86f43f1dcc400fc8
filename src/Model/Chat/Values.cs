using System.Collections;
using System.Globalization;
using System.Text;

namespace Troupe.Model.Chat;

/// <summary>A name or member that is not there: empty text, false, and a fault for whoever uses it further.</summary>
/// <param name="What">What is not there, in words.</param>
internal sealed record Undefined(string What)
{
    /// <summary>The fault for a use that needs a value.</summary>
    public TemplateFault Fault() => new(What);
}

/// <summary>A tuple: a list that cannot change.</summary>
internal sealed record Fixed(IReadOnlyList<object?> Items)
{
    /// <summary>Names of the items, where they have some.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];
}

/// <summary>
/// Items that can be walked once, as filters such as map and select give them: true even if there are none, without a length, and
/// empty for the second who asks.
/// </summary>
internal sealed class Lazy(IReadOnlyList<object?> items)
{
    private int _taken;

    /// <summary>All that are left.</summary>
    public IReadOnlyList<object?> TakeAll() => Take(items.Count);

    /// <summary>So many of those that are left.</summary>
    public IReadOnlyList<object?> Take(int count)
    {
        List<object?> taken = [.. items.Skip(_taken).Take(count)];
        _taken += taken.Count;
        return taken;
    }
}

/// <summary>A mapping that keeps the order of its keys.</summary>
internal sealed class Map() : OrderedDictionary<object, object?>(Chat.Values.Keys);

/// <summary>What namespace() makes: members that an inner scope can set.</summary>
internal sealed class Namespace(Map members)
{
    /// <summary>The members by name.</summary>
    public Map Members { get; } = members;
}

/// <summary>Something that can be called.</summary>
/// <param name="Name">Its name, for messages.</param>
/// <param name="Run">Gets arguments by place and by name.</param>
internal sealed record Function(string Name, Func<CallArguments, object?> Run);

/// <summary>
/// The values of a template, with Python's rules: null is None; bool, long, double and string are themselves; List&lt;object?&gt;, Fixed
/// and <see cref="Map"/> hold others. A string's characters are code points.
/// </summary>
internal static class Values
{
    private const int MaxNesting = 64;

    /// <summary>Keys are equal as Python's: 1, 1.0 and True are one key.</summary>
    public static IEqualityComparer<object> Keys { get; } = new KeyRule();

    // A value that holds another one twice, and so on, is small to make and endless to walk.
    private static void Down(int depth)
    {
        if (depth > MaxNesting) throw new TemplateFault($"values lie more than {MaxNesting} in each other");
        TemplateBudget.Current?.Spend();
    }

    /// <summary>Whether a value counts as true.</summary>
    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool yes => yes,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        ICollection items => items.Count > 0,
        Fixed items => items.Items.Count > 0,
        _ => true,
    };

    /// <summary>The kind of a value, as Python names it.</summary>
    public static string Kind(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long => "int",
        double => "float",
        string => "str",
        List<object?> => "list",
        Fixed => "tuple",
        Map => "dict",
        Undefined => "Undefined",
        Namespace => "Namespace",
        Function => "function",
        Lazy => "generator",
        _ => "object",
    };

    /// <summary>The text of a value, as it is written.</summary>
    public static string Text(object? value)
    {
        if (value is string text) return text;
        if (value is Undefined) return "";
        var result = new StringBuilder();
        Repr(value, result, 0);
        TemplateBudget.Current?.Room(result.Length);
        return result.ToString();
    }

    /// <summary>The text of a value within a list.</summary>
    public static void Repr(object? value, StringBuilder result, int depth)
    {
        Down(depth);
        TemplateBudget.Bound(result.Length);
        switch (value)
        {
            case null: result.Append("None"); break;
            case bool yes: result.Append(yes ? "True" : "False"); break;
            case long number: result.Append(CultureInfo.InvariantCulture, $"{number}"); break;
            case double number: result.Append(Number(number)); break;
            case string text: Quote(text, result); break;
            case Undefined: result.Append("Undefined"); break;
            case List<object?> items: Items(items, "[", "]", result, depth); break;
            case Fixed items: Items(items.Items, "(", items.Items.Count == 1 ? ",)" : ")", result, depth); break;
            case Map map:
                result.Append('{');
                foreach ((object key, object? item) in map)
                {
                    if (result[^1] != '{') result.Append(", ");
                    Repr(Unkey(key), result, depth + 1);
                    result.Append(": ");
                    Repr(item, result, depth + 1);
                }
                result.Append('}');
                break;
            case Function function: result.Append(CultureInfo.InvariantCulture, $"<function {function.Name}>"); break;
            default: result.Append(CultureInfo.InvariantCulture, $"<{Kind(value)}>"); break;
        }
    }

    private static void Items(IReadOnlyList<object?> items, string open, string close, StringBuilder result, int depth)
    {
        result.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) result.Append(", ");
            Repr(items[i], result, depth + 1);
        }
        result.Append(close);
    }

    private static void Quote(string text, StringBuilder result)
    {
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        result.Append(quote);
        TemplateBudget.Current?.Look(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            TemplateBudget.Bound(result.Length);
            _ = rune.Value switch
            {
                '\\' => result.Append(@"\\"),
                '\n' => result.Append(@"\n"),
                '\r' => result.Append(@"\r"),
                '\t' => result.Append(@"\t"),
                _ when rune.Value == quote => result.Append('\\').Append(quote),
                _ when Printable(rune) => result.Append(rune.ToString()),
                < 0x100 => result.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                < 0x10000 => result.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => result.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            };
        }
        result.Append(quote);
    }

    // Python shows controls, formats, surrogates, private and unassigned characters, and separators but the blank, by their numbers.
    private static bool Printable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>A float as Python writes it: the shortest digits that give it back, with a point or an exponent.</summary>
    public static string Number(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        string shortest = number.ToString("R", CultureInfo.InvariantCulture), sign = shortest.StartsWith('-') ? "-" : "";
        string[] parts = shortest.TrimStart('-').Split('E');
        string whole = parts[0].Split('.')[0], fraction = parts[0].Contains('.') ? parts[0].Split('.')[1] : "";
        // The digits without zeros at their ends, and the place of the point behind the first of them.
        string all = (whole + fraction).TrimStart('0'), digits = all.TrimEnd('0');
        if (digits.Length == 0) return sign + "0.0";
        int exponent = all.Length - fraction.Length - 1 + (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
        if (exponent is < -4 or >= 16)
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        if (exponent < 0) return sign + "0." + new string('0', -exponent - 1) + digits;
        digits = digits.PadRight(exponent + 1, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{(digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0")}";
    }

    /// <summary>Whether two values are equal.</summary>
    public static bool Same(object? a, object? b, int depth = 0)
    {
        Down(depth);
        if (a is Undefined && b is Undefined) return true;
        if (AsNumber(a) is { } x && AsNumber(b) is { } y) return a is double || b is double ? x == y : AsLong(a) == AsLong(b);
        return (a, b) switch
        {
            (string one, string other) => SameText(one, other),
            (List<object?> one, List<object?> other) => SameItems(one, other, depth),
            (Fixed one, Fixed other) => SameItems(one.Items, other.Items, depth),
            (Map one, Map other) => one.Count == other.Count
                && one.All(item => other.TryGetValue(item.Key, out object? value) && Same(item.Value, value, depth + 1)),
            _ => ReferenceEquals(a, b),
        };
    }

    private static bool SameText(string one, string other)
    {
        if (one.Length != other.Length) return false;
        TemplateBudget.Current?.Look(one.Length);
        return one == other;
    }

    private static bool SameItems(IReadOnlyList<object?> a, IReadOnlyList<object?> b, int depth)
    {
        if (a.Count != b.Count) return false;
        for (int i = 0; i < a.Count; i++)
            if (!Same(a[i], b[i], depth + 1)) return false;
        return true;
    }

    /// <summary>Which of two values comes first: numbers, strings by code point, lists item by item.</summary>
    public static int Order(object? a, object? b, string sign = "<", int depth = 0)
    {
        Down(depth);
        if (a is long one && b is long other) return one.CompareTo(other);
        if (AsNumber(a) is { } x && AsNumber(b) is { } y) return x.CompareTo(y);
        if (a is string text && b is string with) return OrderOf(text, with);
        IReadOnlyList<object?>? left = (a as Fixed)?.Items ?? a as List<object?>, right = (b as Fixed)?.Items ?? b as List<object?>;
        if (left is null || right is null || Kind(a) != Kind(b))
            throw new TemplateFault($"'{sign}' not supported between instances of '{Kind(a)}' and '{Kind(b)}'");
        for (int i = 0; i < left.Count && i < right.Count; i++)
            if (!Same(left[i], right[i])) return Order(left[i], right[i], sign, depth + 1);
        return left.Count.CompareTo(right.Count);
    }

    // By code points: halves of pairs come behind all other units.
    private static int OrderOf(string a, string b)
    {
        int same = a.AsSpan().CommonPrefixLength(b);
        TemplateBudget.Current?.Look(same);
        if (same == a.Length || same == b.Length) return a.Length.CompareTo(b.Length);
        (char x, char y) = (a[same], b[same]);
        return char.IsSurrogate(x) == char.IsSurrogate(y) ? x.CompareTo(y) : char.IsSurrogate(x) ? 1 : -1;
    }

    /// <summary>A number or truth value as a float; null for anything else.</summary>
    public static double? AsNumber(object? value) => value switch { long n => n, double d => d, bool yes => yes ? 1 : 0, _ => null };

    /// <summary>A whole number or truth value; null for anything else.</summary>
    public static long? AsLong(object? value) => value switch { long n => n, bool yes => yes ? 1 : 0, _ => null };

    /// <summary>A key for a <see cref="Map"/>; None has one too.</summary>
    public static object Key(object? value) => value switch
    {
        null => NoneKey.Instance,
        string text => Looked(text),
        bool or long or double or Fixed => value,
        _ => throw new TemplateFault($"unhashable type: '{Kind(value)}'"),
    };

    private static string Looked(string text)
    {
        TemplateBudget.Current?.Look(text.Length);
        return text;
    }

    private static IEnumerable<T> Counted<T>(IEnumerable<T> items, int count)
    {
        TemplateBudget.Current?.Spend(count);
        return items;
    }

    /// <summary>The value of a key.</summary>
    public static object? Unkey(object key) => key is NoneKey ? null : key;

    /// <summary>The items of a value that can be looped over; null if it cannot. A string gives its characters, a mapping its
    /// keys.</summary>
    public static IReadOnlyList<object?>? ItemsOf(object? value) => value switch
    {
        List<object?> items => items,
        Fixed items => items.Items,
        Map map => [.. Counted(map.Keys, map.Count).Select(Unkey)],
        Lazy lazy => lazy.TakeAll(),
        string text => [.. Counted(text.EnumerateRunes(), text.Length).Select(rune => rune.ToString())],
        Undefined => [],
        _ => null,
    };

    /// <summary>How many items or characters a value has.</summary>
    public static long Length(object? value) => value switch
    {
        string text => text.Length - Looked(text).AsSpan().Count(char.IsLowSurrogate),
        ICollection items => items.Count,
        Fixed items => items.Items.Count,
        Undefined => 0,
        _ => throw new TemplateFault($"object of type '{Kind(value)}' has no len()"),
    };

    private static int Count(this ReadOnlySpan<char> text, Func<char, bool> wanted)
    {
        int count = 0;
        foreach (char c in text)
            if (wanted(c)) count++;
        return count;
    }

    private sealed class NoneKey
    {
        public static readonly NoneKey Instance = new();
    }

    private sealed class KeyRule : IEqualityComparer<object>
    {
        bool IEqualityComparer<object>.Equals(object? x, object? y) => x is not null && y is not null && Same(x, y);

        int IEqualityComparer<object>.GetHashCode(object key) => key switch
        {
            string text => string.GetHashCode(text, StringComparison.Ordinal),
            Fixed items => items.Items.Count,
            _ => AsNumber(key)?.GetHashCode() ?? 0,
        };
    }
}
