namespace Troupe.Model.Chat;

/// <summary>Names that hold in a part of a template, and those around it.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, object?> _names = new(StringComparer.Ordinal);

    /// <summary>Sets a name here.</summary>
    public void Set(string name, object? value) => _names[name] = value;

    /// <summary>The value of a name, here or around; false if there is none.</summary>
    public bool TryGet(string name, out object? value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
            if (scope._names.TryGetValue(name, out value)) return true;
        value = null;
        return false;
    }

    private Scope? Outer { get; } = outer;
}
