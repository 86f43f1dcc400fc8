using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Troupe.Model.Chat;

/// <summary>JSON in and out, as Python's json module reads and writes it.</summary>
internal static class JsonText
{
    private const int MaxNesting = 64;

    /// <summary>A JSON value as a value of templates.</summary>
    public static object? Read(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String: return json.GetString();
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.Number:
                return !json.GetRawText().AsSpan().ContainsAny('.', 'e', 'E') && json.TryGetInt64(out long whole)
                    ? (object)whole : json.GetDouble();
            case JsonValueKind.Array: return json.EnumerateArray().Select(Read).ToList();
            case JsonValueKind.Object:
                var map = new Map();
                foreach (JsonProperty property in json.EnumerateObject()) map[property.Name] = Read(property.Value);
                return map;
            default: return null;
        }
    }

    /// <summary>How values are written.</summary>
    /// <param name="Indent">What each level begins with on lines of its own, or null: all on one line.</param>
    /// <param name="ItemSign">Between items.</param>
    /// <param name="KeySign">Between a key and its value.</param>
    /// <param name="Ascii">Whether all beyond ASCII is escaped.</param>
    /// <param name="Sorted">Whether keys are sorted.</param>
    public sealed record Form(string? Indent, string ItemSign, string KeySign, bool Ascii, bool Sorted);

    /// <summary>Writes a value.</summary>
    public static string Write(object? value, Form form, TemplateBudget budget)
    {
        var text = new StringBuilder();
        Write(value, form, text, 0, budget);
        return budget.Made(text.ToString());
    }

    private static void Write(object? value, Form form, StringBuilder text, int depth, TemplateBudget budget)
    {
        if (depth > MaxNesting) throw new TemplateFault($"values lie more than {MaxNesting} in each other");
        budget.Spend();
        TemplateBudget.Bound(text.Length);
        switch (value)
        {
            case null: text.Append("null"); break;
            case bool yes: text.Append(yes ? "true" : "false"); break;
            case long number: text.Append(CultureInfo.InvariantCulture, $"{number}"); break;
            case double number: text.Append(Number(number)); break;
            case string characters:
                budget.Look(characters.Length);
                Quote(characters, form.Ascii, text);
                break;
            case List<object?> or Fixed:
                Items(Values.ItemsOf(value)!, '[', ']', item => Write(item, form, text, depth + 1, budget), form, text, depth);
                break;
            case Map map:
                budget.Spend(map.Count);
                IEnumerable<(string Key, object? Item)> items = map.Select(item => (KeyText(item.Key), item.Value));
                if (form.Sorted) items = items.OrderBy(item => item.Key, StringComparer.Ordinal);
                Items([.. items], '{', '}', item =>
                {
                    Quote(item.Key, form.Ascii, text);
                    text.Append(form.KeySign);
                    Write(item.Item, form, text, depth + 1, budget);
                }, form, text, depth);
                break;
            default: throw new TemplateFault($"Object of type {Values.Kind(value)} is not JSON serializable");
        }
    }

    private static void Items<T>(IReadOnlyList<T> items, char open, char close, Action<T> write, Form form, StringBuilder text, int depth)
    {
        text.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(form.ItemSign);
            TemplateBudget.Bound(text.Length);
            NewLine(depth + 1);
            write(items[i]);
        }
        if (items.Count > 0) NewLine(depth);
        text.Append(close);
        void NewLine(int level)
        {
            if (form.Indent is null) return;
            text.Append('\n');
            for (int i = 0; i < level; i++)
            {
                text.Append(form.Indent);
                TemplateBudget.Bound(text.Length);
            }
        }
    }

    private static string KeyText(object key) => Values.Unkey(key) switch
    {
        string text => text,
        null => "null",
        bool yes => yes ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Number(number),
        var other => throw new TemplateFault($"keys must be str, int, float, bool or None, not {Values.Kind(other)}"),
    };

    private static string Number(double number) =>
        double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : Values.Number(number);

    private static void Quote(string characters, bool ascii, StringBuilder text)
    {
        text.Append('"');
        foreach (char c in characters)
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append(@"\\"),
                '\n' => text.Append(@"\n"),
                '\r' => text.Append(@"\r"),
                '\t' => text.Append(@"\t"),
                '\b' => text.Append(@"\b"),
                '\f' => text.Append(@"\f"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                > '~' when ascii => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        text.Append('"');
    }
}
