using System.Text;
using BenchmarkDotNet.Attributes;
using Troupe.Model.Tokenizer;
using Troupe.Testing;

namespace Troupe.Bench;

/// <summary>Reading a tokenizer.json of 150,000 to 262,144 entries.</summary>
public class TokenizerLoadBenchmark : IWorks
{
    private byte[] _json = [];

    /// <summary>Styles of the synthetic tokenizers.</summary>
    public static IEnumerable<string> Styles => SyntheticTokenizer.Styles.Keys;

    /// <summary>Whose file it is like.</summary>
    [ParamsSource(nameof(Styles))]
    public string Style { get; set; } = "";

    /// <summary>Makes the file.</summary>
    [GlobalSetup]
    public void Setup() => _json = Files.Of(Style);

    /// <summary>From the file's bytes to a tokenizer.</summary>
    [Benchmark]
    public int Load() => BpeTokenizer.Parse(Style, _json).Size;

    Work IWorks.Of(string method) => new(0, Files.Of(Style).Length);
}

/// <summary>Encoding texts of 2 MB with them, on one thread; GB/s is of UTF-8.</summary>
public class TokenizerEncodeBenchmark : IWorks
{
    private const int Bytes = 2_000_000;
    private BpeTokenizer? _tokenizer;
    private string _text = "";

    /// <summary>Styles of the synthetic tokenizers.</summary>
    public static IEnumerable<string> Styles => SyntheticTokenizer.Styles.Keys;

    /// <summary>Whose vocabulary it is like.</summary>
    [ParamsSource(nameof(Styles))]
    public string Style { get; set; } = "";

    /// <summary>
    /// Mixed: words of several scripts, code, digits, white space and emoji. Words: random letters, few words twice. Letters: the same
    /// without blanks. The others: one word or one stretch of these.
    /// </summary>
    [Params("mixed", "words", "letters", "one letter", "digits", "spaces", "lines", "blanks", "scripts", "signs")]
    public string Text { get; set; } = "";

    /// <summary>Makes tokenizer and text.</summary>
    [GlobalSetup]
    public void Setup() => (_tokenizer, _text) = (BpeTokenizer.Parse(Style, Files.Of(Style)), Files.Text(Text, Bytes));

    /// <summary>The ids of the text.</summary>
    [Benchmark]
    public int Encode() => _tokenizer!.Encode(_text).Length;

    Work IWorks.Of(string method) => new(0, Encoding.UTF8.GetByteCount(Files.Text(Text, Bytes)));
}

/// <summary>Files and texts, each made once.</summary>
internal static class Files
{
    private const int Seed = 20261122;
    private static readonly Dictionary<string, byte[]> s_made = new(StringComparer.Ordinal);

    /// <summary>The tokenizer.json of a style.</summary>
    public static byte[] Of(string style)
    {
        if (!s_made.TryGetValue(style, out byte[]? made))
            s_made.Add(style, made = SyntheticTokenizer.Make(style, SyntheticTokenizer.Styles[style], Seed));
        return made;
    }

    /// <summary>A text of about so many bytes.</summary>
    public static string Text(string kind, int bytes)
    {
        // Not the seed of the vocabularies: a model has not been trained with its users' texts.
        var words = new SyntheticWords(Seed + 1);
        string[] letters = [.. Enumerable.Range('a', 26).Select(c => ((char)c).ToString())];
        return kind switch
        {
            "words" => words.Draw(bytes, [.. letters, " ", " ", " "]),
            "letters" => words.Draw(bytes, letters),
            "one letter" => new string('a', bytes),
            "digits" => words.Draw(bytes, [.. Enumerable.Range('0', 10).Select(c => ((char)c).ToString())]),
            "spaces" => new string(' ', bytes),
            "lines" => new string('\n', bytes),
            "blanks" => words.Draw(bytes, " ", "\n", "\t"),
            "scripts" => words.Draw(bytes / 6, "абв", "日本", "हिन्", "العر", "ไทย", "한국", "🙂", "👩‍👩‍👧", "é", "Ελ", "ab",
                "12"),
            "signs" => words.Draw(bytes, [.. "!@#$%^&*()_+-=[]{};:,./<>?|~".Select(c => c.ToString())]),
            _ => words.Text(bytes),
        };
    }
}
