using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Python's slices.</summary>
internal static class Slices
{
    /// <summary>The items from start to before stop, in steps; negative places count from the end.</summary>
    public static object? Of(object? value, long? start, long? stop, long step, TemplateBudget budget)
    {
        if (value is Undefined undefined) throw undefined.Fault();
        if (value is not (string or List<object?> or Fixed)) throw new TemplateFault($"'{Values.Kind(value)}' object cannot be sliced");
        if (step == 0) throw new TemplateFault("slice step cannot be zero");
        // Only what is beyond the basic plane needs whole characters.
        string? plain = value as string is { } text && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? text : null;
        IReadOnlyList<object?> items = plain is null ? Values.ItemsOf(value)! : [];
        long count = plain?.Length ?? items.Count;
        long low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
        long from = Place(start, step > 0 ? low : high), to = Place(stop, step > 0 ? high : low);
        if (plain is not null && step == 1) return budget.Made(from < to ? plain[(int)from..(int)to] : "");
        var result = new List<object?>();
        for (long i = from; step > 0 ? i < to : i > to; i += step)
        {
            budget.Spend();
            result.Add(plain is null ? items[(int)i] : plain[(int)i].ToString());
            if (step > 0 ? i > long.MaxValue - step : i < long.MinValue - step) break;
        }
        if (value is string) return string.Concat(result);
        return value is Fixed ? new Fixed(result) : result;

        long Place(long? bound, long fallback) =>
            bound is not { } given ? fallback : Math.Clamp(given < 0 ? given + count : given, low, high);
    }
}
