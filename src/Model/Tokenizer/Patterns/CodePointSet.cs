using System.Collections.Concurrent;
using System.Globalization;

namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>
/// A set of Unicode code points, as the places where membership changes, ascending: [3, 5, 9, 10) holds 3, 4 and 9. Immutable.
/// </summary>
internal sealed class CodePointSet
{
    /// <summary>One more than the highest code point.</summary>
    public const int End = 0x110000;

    private const string Groups = "LuLlLtLmLoMnMcMeNdNlNoZsZlZpCcCfCsCoPcPdPsPePiPfPoSmScSkSoCn";

    // The scripts that patterns name and categories do not tell (Unicode 16.0, Scripts.txt), as first and last of each range.
    private static readonly int[] HanRanges =
    [
        0x2E80, 0x2E99, 0x2E9B, 0x2EF3, 0x2F00, 0x2FD5, 0x3005, 0x3005, 0x3007, 0x3007, 0x3021, 0x3029, 0x3038, 0x303B, 0x3400, 0x4DBF,
        0x4E00, 0x9FFF, 0xF900, 0xFA6D, 0xFA70, 0xFAD9, 0x16FE2, 0x16FE3, 0x16FF0, 0x16FF1, 0x20000, 0x2A6DF, 0x2A700, 0x2B739,
        0x2B740, 0x2B81D, 0x2B820, 0x2CEA1, 0x2CEB0, 0x2EBE0, 0x2EBF0, 0x2EE5D, 0x2F800, 0x2FA1D, 0x30000, 0x3134A, 0x31350, 0x323AF,
    ];

    // Letters in the sense of "Alphabetic" whose category is not a letter: circled and squared ones.
    private static readonly int[] OtherAlphabetic = [0x24B6, 0x24E9, 0x1F130, 0x1F149, 0x1F150, 0x1F169, 0x1F170, 0x1F189];

    private static readonly ConcurrentDictionary<string, CodePointSet> Named = new(StringComparer.Ordinal);
    private static readonly Lazy<CodePointSet[]> Categories = new(ReadCategories);
    private static readonly Lazy<CodePointSet> Spaces = new(() => OfRanges(
        [9, 13, 32, 32, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x202F, 0x205F, 0x205F,
            0x3000, 0x3000]));

    private CodePointSet(int[] edges) => Edges = edges;

    /// <summary>Where membership changes, ascending; what lies before the first one is not in the set.</summary>
    public int[] Edges { get; }

    /// <summary>White_Space, what \s means.</summary>
    public static CodePointSet Space => Spaces.Value;

    /// <summary>What \w means to the reference's engine for patterns: letters, marks, digits, connectors, and Latin-1's other
    /// numbers.</summary>
    public static CodePointSet Word => field ??= Union([Alphabetic, OfRanges([0xB2, 0xB3, 0xB9, 0xB9, 0xBC, 0xBE])]);

    /// <summary>What \w means where added tokens must be single words: joiners too, and no numbers but digits and letter numbers.</summary>
    public static CodePointSet WideWord => field ??= Union([Alphabetic, OfRanges([0x200C, 0x200D])]);

    private static CodePointSet Alphabetic => field ??= Union([Category("L")!, Category("M")!, Category("Nd")!, Category("Nl")!,
        Category("Pc")!, OfRanges(OtherAlphabetic)]);

    /// <summary>Nothing.</summary>
    public static CodePointSet Empty { get; } = new([]);

    /// <summary>One code point.</summary>
    public static CodePointSet One(int code) => new([code, code + 1]);

    /// <summary>The code points from the first to the last.</summary>
    public static CodePointSet Range(int first, int last) => new([first, last + 1]);

    /// <summary>A general category (Lu), a group of them (L), or a script that is known (Han); null if the name is not known.</summary>
    public static CodePointSet? Category(string name)
    {
        if (Named.TryGetValue(name, out CodePointSet? known)) return known;
        if (name == "Han") return Named[name] = OfRanges(HanRanges);
        if (name.Length is not (1 or 2)) return null;
        var parts = new List<CodePointSet>();
        for (int i = 0; i < Groups.Length; i += 2)
            if (Groups.AsSpan(i, name.Length).SequenceEqual(name)) parts.Add(Categories.Value[i / 2]);
        return parts.Count == 0 ? null : Named[name] = Union(parts);
    }

    /// <summary>What is in any of the sets.</summary>
    public static CodePointSet Union(IEnumerable<CodePointSet> sets)
    {
        (int At, int Step)[] events = [.. sets.SelectMany(set => set.Edges.Select((at, i) => (at, i % 2 == 0 ? 1 : -1)))
            .OrderBy(change => change.at).ThenByDescending(change => change.Item2)];
        var edges = new List<int>();
        int depth = 0;
        foreach ((int at, int step) in events)
        {
            depth += step;
            if (step > 0 ? depth == 1 : depth == 0) edges.Add(at);
        }
        return new CodePointSet([.. Joined(edges)]);
    }

    /// <summary>All that is not in this set.</summary>
    public CodePointSet Complement()
    {
        var edges = new List<int>(Edges);
        if (edges is [0, ..]) edges.RemoveAt(0);
        else edges.Insert(0, 0);
        if (edges.Count > 0 && edges[^1] == End) edges.RemoveAt(edges.Count - 1);
        else edges.Add(End);
        return new CodePointSet([.. edges]);
    }

    /// <summary>Whether the code point is in the set.</summary>
    public bool Contains(int code)
    {
        int at = Array.BinarySearch(Edges, code);
        return at >= 0 ? at % 2 == 0 : ~at % 2 == 1;
    }

    // Where one range ends as the next begins there is no change.
    private static IEnumerable<int> Joined(List<int> edges)
    {
        for (int i = 0; i < edges.Count; i++)
            if (i + 1 < edges.Count && edges[i] == edges[i + 1]) i++;
            else yield return edges[i];
    }

    private static CodePointSet OfRanges(int[] ranges) => new([.. ranges.Select((code, i) => code + i % 2)]);

    private static CodePointSet[] ReadCategories()
    {
        var edges = new List<int>[Groups.Length / 2];
        for (int i = 0; i < edges.Length; i++) edges[i] = [];
        int last = -1;
        for (int code = 0; code < End; code++)
        {
            int category = (int)CharUnicodeInfo.GetUnicodeCategory(code);
            if (category == last) continue;
            if (last >= 0) edges[last].Add(code);
            edges[category].Add(code);
            last = category;
        }
        edges[last].Add(End);
        return [.. edges.Select(list => new CodePointSet([.. list]))];
    }
}
