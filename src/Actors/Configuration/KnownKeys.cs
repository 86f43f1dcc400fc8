namespace Troupe.Actors.Configuration;

/// <summary>The keys of ours: those of hocon/reference.conf. A misspelt key would otherwise silently leave its default in force.</summary>
public static class KnownKeys
{
    private const string Root = "troupe";
    private const string Akka = "akka";

    private static readonly Lazy<string[]> s_keys = new(() => [.. ReferenceConfig.Text.Keys
        .Where(k => k.Kind != HoconKind.Object && k.Path.StartsWith(Root + ".", StringComparison.Ordinal)).Select(k => k.Path)]);

    /// <summary>All keys of ours in full, without the objects that hold them.</summary>
    public static IReadOnlyList<string> All => s_keys.Value;

    /// <summary>Refuses keys outside of troupe and akka, and unknown ones below troupe.</summary>
    /// <exception cref="ConfigException">Names text, line, the key, and the nearest known one.</exception>
    public static void Check(HoconText text)
    {
        foreach (HoconKey key in text.Keys)
        {
            if (key.Path == Akka || key.Path.StartsWith(Akka + ".", StringComparison.Ordinal)) continue;
            bool holder = key.Path == Root || All.Any(known => known.StartsWith(key.Path + ".", StringComparison.Ordinal));
            if (holder && key.Kind != HoconKind.Object)
                throw ConfigException.Value($"{text.Name}:{key.Line}", key.Path, "a value", $"keys in braces: {Holds(key.Path)}");
            if (!holder && key.Kind != HoconKind.Object && All.Contains(key.Path)) continue;
            if (!holder) throw ConfigException.At(text.Name, key.Line, Unknown(key.Path));
        }
    }

    /// <summary>The known key that was probably meant.</summary>
    /// <returns>Null when none is near.</returns>
    public static string? Nearest(string key)
    {
        string best = All.Concat(Holders).MinBy(known => Distance(known, key))!;
        if (Distance(best, key) <= Math.Max(2, key.Length / 5)) return best;
        // The right name in the wrong place.
        string name = Last(key);
        best = All.MinBy(known => Distance(Last(known), name))!;
        return Distance(Last(best), name) <= name.Length / 3 ? best : null;
    }

    /// <summary>The objects that hold keys, as troupe.layout.</summary>
    private static IEnumerable<string> Holders =>
        All.SelectMany(known =>
            Enumerable.Range(1, known.Count(c => c == '.')).Select(parts => string.Join('.', known.Split('.').Take(parts)))).Distinct();

    private static string Last(string key) => key[(key.LastIndexOf('.') + 1)..];

    private static string Unknown(string path)
    {
        if (All.FirstOrDefault(known => path == known || path.StartsWith(known + ".", StringComparison.Ordinal)) is { } value)
            return $"{path} is not a key: {value} takes a value, not keys in braces";
        if (!path.StartsWith(Root + ".", StringComparison.Ordinal) && Nearest(path) is null)
            return $"unknown key {path}: settings stand below {Root} or {Akka}; hocon/reference.conf lists them";
        return Nearest(path) is { } near
            ? $"unknown key {path}: did you mean {near}?" : $"unknown key {path}: hocon/reference.conf lists the known ones";
    }

    private static string Holds(string path) =>
        string.Join(", ", All.Where(k => k.StartsWith(path + ".", StringComparison.Ordinal))
            .Select(k => k[(path.Length + 1)..].Split('.')[0]).Distinct());

    /// <summary>Edits of one letter (insert, remove, replace) from one text to the other: Levenshtein 1966.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }
}
