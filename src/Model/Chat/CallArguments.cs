namespace Troupe.Model.Chat;

/// <summary>The arguments of one call. A called function takes those that it knows; what is left is a fault.</summary>
/// <param name="Plain">By place.</param>
/// <param name="Named">By name.</param>
internal sealed record CallArguments(List<object?> Plain, Dictionary<string, object?> Named)
{
    private int _taken;

    /// <summary>The next argument, by place or by this name; null (None) and false where it is not given.</summary>
    public bool Take(string name, out object? value)
    {
        if (_taken < Plain.Count)
        {
            value = Plain[_taken++];
            return true;
        }
        return Named.Remove(name, out value);
    }

    /// <summary>The next argument, or a fallback.</summary>
    public object? Or(string name, object? fallback) => Take(name, out object? value) ? value : fallback;

    /// <summary>The next argument, which must be there.</summary>
    public object? Must(string name) => Take(name, out object? value) ? value : throw new TemplateFault($"the argument {name} is missing");

    /// <summary>A text that must be there.</summary>
    public string Text(string name) => Must(name) is string text ? text : throw new TemplateFault($"the argument {name} must be a string");

    /// <summary>A whole number, or a fallback.</summary>
    public long Whole(string name, long fallback) => Or(name, fallback) is var value && Values.AsLong(value) is { } number
        ? number : throw new TemplateFault($"the argument {name} must be a whole number");

    /// <summary>All that are left by place.</summary>
    public List<object?> TakeRest()
    {
        List<object?> rest = Plain[_taken..];
        _taken = Plain.Count;
        return rest;
    }

    /// <summary>All that are left by name.</summary>
    public Map TakeNamed()
    {
        var named = new Map();
        foreach ((string name, object? value) in Named) named[name] = value;
        Named.Clear();
        return named;
    }

    /// <summary>Whether there is another one by place.</summary>
    public bool More => _taken < Plain.Count;

    /// <summary>A fault if an argument was not taken.</summary>
    public void Done(string function)
    {
        if (More) throw new TemplateFault($"{function} got {Plain.Count} arguments, at most {_taken} are taken");
        if (Named.Count > 0) throw new TemplateFault($"{function} got an unknown argument '{Named.Keys.First()}'");
    }
}
