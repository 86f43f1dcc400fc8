namespace Troupe.Model.Chat;

/// <summary>Members and items of values.</summary>
internal sealed class Members(TemplateBudget budget)
{
    /// <summary>value.name: a method or member, else the item of that name.</summary>
    public object? Member(object? value, string name)
    {
        if (value is Undefined undefined) throw undefined.Fault();
        if (Own(value, name) is { } member) return member.Value;
        if (value is Map map && map.TryGetValue(name, out object? item)) return item;
        return new Undefined($"'{Shown(value)}' has no attribute '{Short(name)}'");
    }

    /// <summary>value[key]: an item, else for a name the member of that name.</summary>
    public object? Item(object? value, object? key)
    {
        if (value is Undefined undefined) throw undefined.Fault();
        if (value is Map map && key is not (List<object?> or Map or Undefined)
            && map.TryGetValue(Values.Key(key), out object? item)) return item;
        if (Values.AsLong(key) is { } at && value is string plain && !plain.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            budget.Look(plain.Length);
            long place = at < 0 ? at + plain.Length : at;
            if (place >= 0 && place < plain.Length) return plain[(int)place].ToString();
        }
        else if (Values.AsLong(key) is { } index && value is not (Map or Lazy) && Values.ItemsOf(value) is { } items)
        {
            long place = index < 0 ? index + items.Count : index;
            if (place >= 0 && place < items.Count) return items[(int)place];
        }
        if (key is string name && Own(value, name) is { } member) return member.Value;
        return new Undefined(key is string text ? $"'{Shown(value)}' has no attribute '{Short(text)}'"
            : $"'{Shown(value)}' has no element {Short(Values.Text(key))}");
    }

    /// <summary>Whether a value is in a list, a key in a mapping, or a text in a text.</summary>
    public bool Contains(object? all, object? value)
    {
        switch (all)
        {
            case string text:
                return value is string part ? Searched(text, part).Contains(part, StringComparison.Ordinal)
                    : throw new TemplateFault($"'in <string>' requires string as left operand, not {Values.Kind(value)}");
            case Map map:
                return value is not Undefined && map.ContainsKey(Values.Key(value));
            case null:
                throw new TemplateFault("argument of type 'NoneType' is not iterable");
            default:
                IReadOnlyList<object?> items = Filters.Items(all);
                budget.Spend(items.Count);
                return items.Any(item => Values.Same(item, value));
        }
    }

    private string Searched(string text, string part)
    {
        budget.Search(text, part);
        return text;
    }

    private Box? Own(object? value, string name) => value switch
    {
        string text => Box.Of(StringMethods.Find(text, name, budget)),
        Map map => Box.Of(MapMethods(map, name)),
        Fixed { Names.Count: > 0 } named when named.Names.ToList().IndexOf(name) is >= 0 and var at => new Box(named.Items[at]),
        List<object?> or Fixed => Box.Of(ListMethods(value, name)),
        Namespace space => space.Members.TryGetValue(name, out object? member) ? new Box(member) : null,
        LoopState loop => loop.Member(name),
        _ => null,
    };

    private Function? MapMethods(Map map, string name) => name switch
    {
        "items" => new Function(name, arguments =>
        {
            arguments.Done(name);
            budget.Spend(map.Count);
            return map.Select(item => (object?)new Fixed([Values.Unkey(item.Key), item.Value])).ToList();
        }),
        "keys" => new Function(name, _ => Values.ItemsOf(map)!.ToList()),
        "values" => new Function(name, _ => Counted(map).Values.ToList()),
        "get" => new Function(name, arguments =>
        {
            object? key = arguments.Must("key"), fallback = arguments.Or("default", null);
            arguments.Done(name);
            return map.TryGetValue(Values.Key(key), out object? value) ? value : fallback;
        }),
        "copy" => new Function(name, _ => Filters.Copy(Counted(map))),
        "pop" or "update" or "clear" or "setdefault" or "popitem" => Unsafe("dict", name),
        _ => null,
    };

    private Function? ListMethods(object value, string name) => name switch
    {
        "index" => new Function(name, arguments =>
        {
            object? wanted = arguments.Must("value");
            int at = Values.ItemsOf(value)!.Index().FirstOrDefault(item => Values.Same(item.Item, wanted), (-1, null)).Index;
            return at >= 0 ? (long)at : throw new TemplateFault($"{Values.Text(wanted)} is not in list");
        }),
        "count" => new Function(name, arguments =>
        {
            object? wanted = arguments.Must("value");
            return (long)Values.ItemsOf(value)!.Count(item => Values.Same(item, wanted));
        }),
        "copy" when value is List<object?> list => new Function(name, _ =>
        {
            budget.Spend(list.Count);
            return list.ToList();
        }),
        "append" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" or "clear" when value is List<object?> =>
            Unsafe("list", name),
        _ => null,
    };

    private Map Counted(Map map)
    {
        budget.Spend(map.Count);
        return map;
    }

    // The reference renders in a sandbox where values cannot be changed.
    private static Function Unsafe(string kind, string name) =>
        new(name, _ => throw new TemplateFault($"access to attribute '{name}' of '{kind}' object is unsafe."));

    private static string Short(string text) => text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 60), "...");

    private static string Shown(object? value) => value is null ? "None" : $"{Values.Kind(value)} object";
}

/// <summary>A member that is there, whatever its value.</summary>
internal sealed record Box(object? Value)
{
    /// <summary>A function as a member, or none.</summary>
    public static Box? Of(Function? function) => function is null ? null : new Box(function);
}
