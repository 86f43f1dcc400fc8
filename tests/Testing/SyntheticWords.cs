using System.Text;

namespace Troupe.Testing;

/// <summary>
/// Pieces of text as pre-tokenizers cut them: words of several scripts made of syllables, code, digits, white space and emoji, the common
/// ones far more often than the others. Seeded.
/// </summary>
public sealed class SyntheticWords
{
    private const int Known = 60_000;

    private static readonly string[] s_onsets = ["b", "c", "d", "f", "g", "h", "l", "m",
        "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pl", "ch", "sh",
        ""];
    private static readonly string[] s_cores = ["a", "e", "i", "o", "u", "ea", "ou", "ai", "io", "er", "an", "in", "on", "en", "al"];
    private static readonly string[] s_ends = ["", "", "s", "t", "n", "ng", "r", "ed", "ly", "tion", "ment"];
    private static readonly string[] s_code = ["(", ")", "();", " {", "}", "});", " =>", " ==", " !=", "->", "::", "//", "/*", "*/", " =",
        "[", "]", "\",", ".", ",", ";", "</", ">", "#", "_", "-", "...", "!", "?", ":", " +=", "&&", " ||"];
    // Cyrillic, Greek, Arabic, Devanagari, Thai, Hangul.
    private static readonly (int First, int Last)[] s_scripts =
        [(0x430, 0x44F), (0x3B1, 0x3C9), (0x627, 0x648), (0x905, 0x939), (0xE01, 0xE2E), (0xAC00, 0xD7A3)];

    private readonly Random _random;
    private readonly string[] _known;

    /// <summary>The words of a seed.</summary>
    public SyntheticWords(int seed)
    {
        _random = new Random(seed);
        _known = [.. Enumerable.Range(0, Known).Select(_ => New())];
    }

    /// <summary>A word: one of those that are known, the first ones most often (Zipf's law), and now and then a new one.</summary>
    public string Next() => _random.Next(12) == 0 ? New() : _known[(int)Math.Pow(Known, _random.NextDouble()) - 1];

    /// <summary>A text of words of at least so many bytes of UTF-8.</summary>
    public string Text(int bytes)
    {
        var text = new StringBuilder();
        for (int made = 0; made < bytes;)
        {
            string word = Next();
            text.Append(word);
            made += Encoding.UTF8.GetByteCount(word);
        }
        return text.ToString();
    }

    /// <summary>A text of so many of some pieces, drawn evenly.</summary>
    public string Draw(int count, params ReadOnlySpan<string> pieces)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++) text.Append(pieces[_random.Next(pieces.Length)]);
        return text.ToString();
    }

    private string New() => _random.Next(100) switch
    {
        < 52 => Latin(),
        < 64 => Letters(),
        < 80 => Han(),
        < 89 => Pick(s_code) + (_random.Next(4) == 0 ? "\n" : ""),
        < 93 => new string(_random.Next(5) switch { 0 => '\n', 1 => '\t', _ => ' ' }, 1 + _random.Next(1 << _random.Next(1, 6))),
        < 97 => Digits(),
        _ => (_random.Next(2) == 0 ? " " : "") + new Rune(0x1F300 + _random.Next(0x300)),
    };

    private string Latin()
    {
        var word = new StringBuilder();
        for (int n = 1 + _random.Next(3); n > 0; n--) word.Append(Pick(s_onsets)).Append(Pick(s_cores));
        word.Append(Pick(s_ends));
        string made = word.ToString();
        made = _random.Next(10) switch { 0 => made.ToUpperInvariant(), < 3 => char.ToUpperInvariant(made[0]) + made[1..], _ => made };
        return (_random.Next(4) > 0 ? " " : "") + made;
    }

    private string Letters()
    {
        (int first, int last) = s_scripts[_random.Next(s_scripts.Length)];
        var word = new StringBuilder(_random.Next(4) > 0 ? " " : "");
        for (int n = 1 + _random.Next(7); n > 0; n--)
            word.Append((char)(first + (int)((last - first + 1) * Math.Pow(_random.NextDouble(), 2))));
        return word.ToString();
    }

    private string Han()
    {
        var word = new StringBuilder();
        for (int n = 1 + _random.Next(5); n > 0; n--) word.Append((char)(0x4E00 + (int)(6000 * Math.Pow(_random.NextDouble(), 3))));
        return word.ToString();
    }

    private string Digits()
    {
        var word = new StringBuilder();
        for (int n = 1 + _random.Next(4); n > 0; n--) word.Append((char)('0' + _random.Next(10)));
        return word.ToString();
    }

    private string Pick(string[] of) => of[_random.Next(of.Length)];
}
