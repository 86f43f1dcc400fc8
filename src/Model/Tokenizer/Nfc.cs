using System.Globalization;
using System.Text;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Canonical composition (Unicode Standard Annex 15, "NFC"). The framework's own does nothing when the program runs with invariant
/// globalization, as this one does.
/// </summary>
internal static class Nfc
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Dictionary<int, byte> Classes = ReadClasses();
    private static readonly Dictionary<int, (int First, int Second)> Decompositions = [];
    private static readonly Dictionary<(int, int), int> Compositions = [];
    // Code points of which a composed text may have to change something: marks, what is never composed, and what joins the one before.
    private static readonly HashSet<int> Suspects = [.. Classes.Keys];

    static Nfc()
    {
        int code = -1;
        foreach (string entry in Words(NfcData.Decompositions))
        {
            int colon = entry.IndexOf(':');
            code = colon < 0 ? code + 1 : Hex(entry.AsSpan(0, colon));
            ReadOnlySpan<char> parts = entry.AsSpan(colon + 1).TrimEnd('!');
            int plus = parts.IndexOf('+');
            (int first, int second) = plus < 0 ? (Hex(parts), 0) : (Hex(parts[..plus]), Hex(parts[(plus + 1)..]));
            Decompositions.Add(code, (first, second));
            bool composed = plus >= 0 && !entry.EndsWith('!');
            if (composed) Compositions.Add((first, second), code);
            Suspects.Add(composed ? second : code);
        }
        for (int i = 0; i < Vowels; i++) Suspects.Add(VowelBase + i);
        for (int i = 1; i < Trails; i++) Suspects.Add(TrailBase + i);
    }

    /// <summary>The composed form; the same string if it is composed already. No half of a surrogate pair may stand in the text.</summary>
    public static string Normalize(string text)
    {
        // Everything below U+0300 is composed and joins nothing before it.
        int at = text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF');
        if (at < 0 || IsComposed(text.AsSpan(at))) return text;
        var codes = new List<int>(text.Length + 8);
        foreach (Rune rune in text.EnumerateRunes()) Decompose(rune.Value, codes);
        Order(codes);
        var result = new StringBuilder(text.Length);
        Span<char> pair = stackalloc char[2];
        foreach (int code in Compose(codes)) result.Append(pair[..new Rune(code).EncodeToUtf16(pair)]);
        return result.ToString();
    }

    private static bool IsComposed(ReadOnlySpan<char> text)
    {
        foreach (Rune rune in text.EnumerateRunes())
            if (rune.Value >= 0x300 && Suspects.Contains(rune.Value)) return false;
        return true;
    }

    private static void Decompose(int code, List<int> codes)
    {
        int syllable = code - HangulBase;
        if (syllable is >= 0 and < Syllables)
        {
            codes.Add(LeadBase + syllable / (Vowels * Trails));
            codes.Add(VowelBase + syllable / Trails % Vowels);
            if (syllable % Trails != 0) codes.Add(TrailBase + syllable % Trails);
        }
        else if (Decompositions.TryGetValue(code, out (int First, int Second) parts))
        {
            Decompose(parts.First, codes);
            if (parts.Second != 0) Decompose(parts.Second, codes);
        }
        else
        {
            codes.Add(code);
        }
    }

    /// <summary>Sorts each run of marks by class; marks of one class keep their order.</summary>
    private static void Order(List<int> codes)
    {
        for (int start = 0; start < codes.Count; start++)
        {
            int end = start;
            while (end < codes.Count && Class(codes[end]) != 0) end++;
            if (end - start < 2) continue;
            int[] sorted = [.. codes.GetRange(start, end - start).OrderBy(Class)];
            for (int i = 0; i < sorted.Length; i++) codes[start + i] = sorted[i];
            start = end;
        }
    }

    /// <summary>Joins each mark with the last starter before it, unless a mark of the same or a higher class stands between them.</summary>
    private static List<int> Compose(List<int> codes)
    {
        var result = new List<int>(codes.Count);
        int starter = -1, last = 0;
        foreach (int code in codes)
        {
            int rank = Class(code);
            bool adjacent = starter == result.Count - 1;
            if (starter >= 0 && (adjacent || last < rank) && Pair(result[starter], code) is { } joined)
            {
                result[starter] = joined;
                continue;
            }
            if (rank == 0) starter = result.Count;
            last = rank;
            result.Add(code);
        }
        return result;
    }

    private static int? Pair(int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, syllable = first - HangulBase, trail = second - TrailBase;
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels) return HangulBase + (lead * Vowels + vowel) * Trails;
        if (syllable is >= 0 and < Syllables && syllable % Trails == 0 && trail is > 0 and < Trails) return first + trail;
        return Compositions.TryGetValue((first, second), out int code) ? code : null;
    }

    private static int Class(int code) => code < 0x300 ? 0 : Classes.GetValueOrDefault(code);

    private static Dictionary<int, byte> ReadClasses()
    {
        var classes = new Dictionary<int, byte>();
        foreach (string entry in Words(NfcData.CombiningClasses))
        {
            int equals = entry.IndexOf('='), dash = entry.IndexOf('-');
            int first = Hex(entry.AsSpan(0, dash < 0 ? equals : dash)), last = Hex(entry.AsSpan(dash + 1, equals - dash - 1));
            byte rank = byte.Parse(entry.AsSpan(equals + 1), CultureInfo.InvariantCulture);
            for (int code = first; code <= last; code++) classes.Add(code, rank);
        }
        return classes;
    }

    private static string[] Words(string text) => text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
