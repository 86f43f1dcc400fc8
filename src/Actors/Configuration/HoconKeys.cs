namespace Troupe.Actors.Configuration;

/// <summary>
/// The keys seen so far, and the rules between them: Akka.NET loses settings where a key changes its kind, or is set by a reference and
/// again.
/// </summary>
internal sealed class HoconKeys(string name)
{
    private readonly List<HoconKey> _all = [];
    private readonly Dictionary<string, HoconKey> _last = new(StringComparer.Ordinal);
    private readonly List<Reference> _references = [];

    public IReadOnlyList<HoconKey> All => _all;

    /// <summary>Stands in the path of what is inside an array, which nothing can name; its references count for the array's key.</summary>
    public const char Element = '\0';

    /// <summary>Notes a key; its parents become objects.</summary>
    public void Add(string path, int line, HoconKind kind)
    {
        if (path.Contains(Element)) return;
        foreach (string parent in Parents(path)) Set(parent, line, HoconKind.Object);
        Set(path, line, kind);
        _all.Add(new HoconKey(path, line, kind));
    }

    /// <summary>Notes that the value of a key holds a reference.</summary>
    public void Refer(string path, int line, string target) => _references.Add(new Reference(path.Split(Element)[0], line, target));

    /// <summary>Every reference must lead to a key of this text, and none back to itself.</summary>
    public void CheckReferences()
    {
        var proved = new HashSet<Reference>();
        foreach (Reference reference in _references)
        {
            bool leads = _last.ContainsKey(reference.Target)
                || Parents(reference.Target).Any(p => _last.TryGetValue(p, out HoconKey? parent) && parent.Kind == HoconKind.Reference);
            if (!leads)
                throw ConfigException.At(name, reference.Line,
                    $"${{{reference.Target}}} names no key of this text; Akka.NET looks nowhere else");
            if (Overlaps(reference.Key, reference.Target) || Returns(reference, [], proved))
                throw ConfigException.At(name, reference.Line,
                    $"${{{reference.Target}}} leads back to itself, and Akka.NET would overflow its stack");
        }
    }

    private bool Returns(Reference reference, HashSet<Reference> path, HashSet<Reference> proved)
    {
        if (proved.Contains(reference)) return false;
        if (!path.Add(reference)) return true;
        foreach (Reference next in _references)
            if (Overlaps(next.Key, reference.Target) && Returns(next, path, proved)) return true;
        path.Remove(reference);
        proved.Add(reference);
        return false;
    }

    private void Set(string path, int line, HoconKind kind)
    {
        if (_last.TryGetValue(path, out HoconKey? before))
        {
            if (before.Kind == HoconKind.Reference || kind == HoconKind.Reference)
                throw ConfigException.At(name, line,
                    $"{path} was set in line {before.Line} already, and next to a reference one of both is lost: keep one");
            if ((before.Kind == HoconKind.Object) != (kind == HoconKind.Object))
                throw ConfigException.At(name, line,
                    $"{path} is {Named(kind)} here and {Named(before.Kind)} in line {before.Line}: keep one");
        }
        _last[path] = new HoconKey(path, line, kind);
    }

    private static string Named(HoconKind kind) =>
        kind switch { HoconKind.Object => "an object", HoconKind.Array => "an array", _ => "text" };

    private static bool Overlaps(string a, string b) => a == b || Under(a, b) || Under(b, a);

    private static bool Under(string path, string parent) =>
        path.Length > parent.Length && path[parent.Length] == '.' && path.StartsWith(parent, StringComparison.Ordinal);

    /// <summary>a and a.b for a.b.c; dots in quotes separate nothing.</summary>
    private static IEnumerable<string> Parents(string path)
    {
        bool quoted = false;
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] == '"' && (i == 0 || path[i - 1] != '\\')) quoted = !quoted;
            else if (path[i] == '.' && !quoted) yield return path[..i];
        }
    }

    private readonly record struct Reference(string Key, int Line, string Target);
}
