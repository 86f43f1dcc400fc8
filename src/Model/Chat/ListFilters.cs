using System.Globalization;

namespace Troupe.Model.Chat;

/// <summary>Jinja's filters of lists.</summary>
internal sealed class ListFilters(TemplateBudget budget, Filters filters)
{
    /// <summary>A filter of a value; null if there is none of the name.</summary>
    public Box? Apply(string name, object? value, CallArguments arguments)
    {
        Func<IReadOnlyList<object?>, object?>? run = name switch
        {
            "list" => items => items.ToList(),
            "first" => items => items.Count > 0 ? items[0] : new Undefined("No first item, sequence was empty."),
            "last" => items => items.Count > 0 ? items[^1] : new Undefined("No last item, sequence was empty."),
            "reverse" => items => value is string ? string.Concat(items.Reverse()) : new Lazy([.. items.Reverse()]),
            "join" => items => Joined(items, arguments),
            "map" => items => new Lazy(Mapped(items, arguments)),
            "select" or "reject" => items => new Lazy(Selected(items, arguments, name == "select", byMember: false)),
            "selectattr" or "rejectattr" => items => new Lazy(Selected(items, arguments, name == "selectattr", byMember: true)),
            "sort" => items => Sorted(items, arguments),
            "unique" => items => new Lazy(Unique(items, arguments)),
            "min" or "max" => items => Extreme(items, arguments, name == "max"),
            "sum" => items => Sum(items, arguments),
            "groupby" => items => Groups(items, arguments),
            "batch" => items => new Lazy(Batches(items, arguments)),
            "slice" => items => new Lazy(Slices(items, arguments)),
            _ => null,
        };
        if (run is not null)
        {
            if (value is Lazy && name is "last" or "reverse") throw new TemplateFault("'generator' object is not reversible");
            IReadOnlyList<object?> items = value is Lazy lazy && name == "first" ? lazy.Take(1) : Filters.Items(value);
            budget.Spend(items.Count);
            return new Box(run(items));
        }
        return name switch
        {
            "items" => new Box(new Lazy(value is Undefined ? [] : Pairs(value))),
            "dictsort" => new Box(DictSort(value, arguments)),
            _ => null,
        };
    }

    private List<object?> Pairs(object? value) => value is Map map
        ? [.. Counted(map).Select(item => new Fixed([Values.Unkey(item.Key), item.Value]))]
        : throw new TemplateFault("Can only get item pairs from a mapping.");

    private Map Counted(Map map)
    {
        budget.Spend(map.Count);
        return map;
    }

    private string Joined(IReadOnlyList<object?> items, CallArguments arguments)
    {
        string separator = Values.Text(arguments.Or("d", ""));
        object? member = arguments.Or("attribute", null);
        return Filters.Join(member is null ? items : [.. items.Select(item => Member(item, member))], separator, budget);
    }

    private List<object?> Mapped(IReadOnlyList<object?> items, CallArguments arguments)
    {
        if (!arguments.More)
        {
            object? member = arguments.Must("attribute"), fallback = arguments.Or("default", new Undefined("no default"));
            return [.. items.Select(item => Member(item, member) is var value && value is Undefined && fallback is not Undefined
                ? fallback : value)];
        }
        string name = arguments.Text("filter");
        (List<object?> plain, Dictionary<string, object?> named) = Rest(arguments);
        return [.. items.Select(item => filters.Apply(name, item, Fresh(plain, named)))];
    }

    private List<object?> Selected(IReadOnlyList<object?> items, CallArguments arguments, bool keep, bool byMember)
    {
        object? member = byMember ? arguments.Must("attribute") : null;
        string? test = arguments.More ? arguments.Text("test") : null;
        (List<object?> plain, Dictionary<string, object?> named) = Rest(arguments);
        bool Holds(object? item)
        {
            object? value = byMember ? Member(item, member) : item;
            budget.Spend();
            return test is null ? Values.Truth(value) : filters.Test(test, value, Fresh(plain, named));
        }
        return [.. items.Where(item => Holds(item) == keep)];
    }

    private static (List<object?>, Dictionary<string, object?>) Rest(CallArguments arguments)
    {
        var plain = new List<object?>();
        while (arguments.More) plain.Add(arguments.Must(""));
        var named = new Dictionary<string, object?>(arguments.Named, StringComparer.Ordinal);
        arguments.Named.Clear();
        return (plain, named);
    }

    private static CallArguments Fresh(List<object?> plain, Dictionary<string, object?> named) =>
        new([.. plain], new Dictionary<string, object?>(named, StringComparer.Ordinal));

    private List<object?> Sorted(IReadOnlyList<object?> items, CallArguments arguments)
    {
        bool reverse = Values.Truth(arguments.Or("reverse", false)), cases = Values.Truth(arguments.Or("case_sensitive", false));
        object? member = arguments.Or("attribute", null);
        // "a,b" sorts by a, and where that is the same by b.
        object?[] members = member is string names ? [.. names.Split(',')] : [member];
        return Ordered(items, item => members.Length == 1 ? Folded(members[0] is null ? item : Member(item, members[0]), cases)
            : new Fixed([.. members.Select(one => Folded(Member(item, one), cases))]), reverse);
    }

    private List<object?> Ordered(IReadOnlyList<object?> items, Func<object?, object?> key, bool reverse)
    {
        budget.Spend(items.Count * 8L);
        var order = Comparer<object?>.Create((a, b) => Values.Order(a, b));
        try
        {
            return reverse ? [.. items.OrderByDescending(key, order)] : [.. items.OrderBy(key, order)];
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateFault fault)
        {
            // What a comparison throws comes wrapped out of a sort.
            throw new TemplateFault(fault.Message);
        }
    }

    private List<object?> Unique(IReadOnlyList<object?> items, CallArguments arguments)
    {
        bool cases = Values.Truth(arguments.Or("case_sensitive", false));
        object? member = arguments.Or("attribute", null);
        return [.. items.DistinctBy(item => Values.Key(Folded(member is null ? item : Member(item, member), cases)), Values.Keys)];
    }

    private object? Extreme(IReadOnlyList<object?> items, CallArguments arguments, bool most)
    {
        bool cases = Values.Truth(arguments.Or("case_sensitive", false));
        object? member = arguments.Or("attribute", null);
        if (items.Count == 0) return new Undefined("No aggregated item, sequence was empty.");
        return Ordered(items, item => Folded(member is null ? item : Member(item, member), cases), most)[0];
    }

    private object? Sum(IReadOnlyList<object?> items, CallArguments arguments)
    {
        object? member = arguments.Or("attribute", null), sum = arguments.Or("start", 0L);
        return items.Aggregate(sum, (total, item) => Arithmetic.Of("+", total, member is null ? item : Member(item, member)));
    }

    private List<object?> Groups(IReadOnlyList<object?> items, CallArguments arguments)
    {
        object? member = arguments.Must("attribute"), fallback = arguments.Or("default", null);
        bool cases = Values.Truth(arguments.Or("case_sensitive", false));
        object? Key(object? item) => Member(item, member) is var value && value is Undefined && fallback is not null ? fallback : value;
        return [.. Ordered(items, item => Folded(Key(item), cases), reverse: false)
            .GroupBy(item => Values.Key(Folded(Key(item), cases)), Values.Keys)
            .Select(group => new Fixed([Key(group.First()), group.ToList()]) { Names = ["grouper", "list"] })];
    }

    private List<object?> Batches(IReadOnlyList<object?> items, CallArguments arguments)
    {
        long size = arguments.Whole("linecount", 0);
        object? fill = arguments.Or("fill_with", null);
        if (size is < 1 or > 1_000_000) throw new TemplateFault("batch wants a size of at least 1");
        var batches = items.Chunk((int)size).Select(chunk => (object?)chunk.ToList()).ToList();
        if (fill is not null && batches is [.., List<object?> last])
        {
            budget.Spend(size - last.Count);
            while (last.Count < size) last.Add(fill);
        }
        return batches;
    }

    /// <summary>So many lists of about the same length, the first ones longer.</summary>
    private static List<object?> Slices(IReadOnlyList<object?> items, CallArguments arguments)
    {
        long count = arguments.Whole("slices", 0);
        object? fill = arguments.Or("fill_with", null);
        if (count is < 1 or > 1_000_000) throw new TemplateFault("slice wants at least 1 list");
        var lists = new List<object?>();
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            int length = (int)(items.Count / count + (i < items.Count % count ? 1 : 0));
            List<object?> list = [.. items.Skip(at).Take(length)];
            at += length;
            if (fill is not null && i >= items.Count % count) list.Add(fill);
            lists.Add(list);
        }
        return lists;
    }

    private List<object?> DictSort(object? value, CallArguments arguments)
    {
        bool cases = Values.Truth(arguments.Or("case_sensitive", false));
        int by = arguments.Or("by", "key") is "value" ? 1 : 0;
        bool reverse = Values.Truth(arguments.Or("reverse", false));
        return Ordered(Pairs(value), pair => Folded(((Fixed)pair!).Items[by], cases), reverse);
    }

    private static object? Folded(object? value, bool cases) => !cases && value is string text ? text.ToLowerInvariant() : value;

    /// <summary>A member named "a.b.0": items, one within the other.</summary>
    private object? Member(object? item, object? path)
    {
        var members = new Members(budget);
        if (path is not string names) return members.Item(item, path);
        budget.Look(16L * names.Length);
        foreach (string name in names.Split('.'))
            item = members.Item(item, long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long place) ? place : name);
        return item;
    }
}
