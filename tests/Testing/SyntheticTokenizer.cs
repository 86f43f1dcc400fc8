using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Troupe.Testing;

/// <summary>
/// Makes a tokenizer.json as large as those of public models. Its vocabulary is learned: a word is encoded with the merges so far, and two
/// neighbours of the outcome become a new token. All but the vocabulary is that of the golden tokenizer of the style.
/// </summary>
public static class SyntheticTokenizer
{
    /// <summary>The styles, each with about as many entries as a public model of it.</summary>
    public static IReadOnlyDictionary<string, int> Styles { get; } = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        ["deepseek"] = 150_000,
        ["o200k"] = 200_000,
        ["qwen"] = 151_643,
        ["sentencepiece"] = 262_144,
    };

    /// <summary>The bytes of a tokenizer.json.</summary>
    /// <param name="style">One of <see cref="Styles"/>.</param>
    /// <param name="tokens">Entries of its vocabulary, at least 1,000.</param>
    /// <param name="seed">What the words come from.</param>
    public static byte[] Make(string style, int tokens, int seed)
    {
        bool bytes = style != "sentencepiece";
        string[] alphabet = ByteAlphabet();
        var vocabulary = new Vocabulary(bytes ? alphabet : Bytes().Concat(Characters()));
        var words = new SyntheticWords(seed);
        var random = new Random(seed);
        while (vocabulary.Tokens.Count < tokens)
            vocabulary.Learn(bytes ? Spelled(words.Next(), alphabet) : words.Next().Replace(' ', '▁'), random);
        // Some converters list every way to put a token together, others only the one that was learned.
        IEnumerable<(string, string)> merges = style is "o200k" or "sentencepiece" ? vocabulary.Splits() : vocabulary.Merges;
        JsonNode golden = JsonNode.Parse(File.ReadAllBytes(Repository.At("tests", "goldens", "tokenizers", style, "tokenizer.json")))!;
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(stream, options))
            Write(json, golden.AsObject(), vocabulary.Tokens, merges, pairs: style != "deepseek");
        return stream.ToArray();
    }

    private static void Write(
        Utf8JsonWriter json, JsonObject golden, List<string> tokens, IEnumerable<(string Left, string Right)> merges, bool pairs)
    {
        json.WriteStartObject();
        Others(json, golden, "model", "added_tokens", "post_processor");
        json.WriteStartArray("added_tokens");
        int next = tokens.Count;
        foreach (JsonNode? added in golden["added_tokens"]!.AsArray())
        {
            // Where special tokens come first they are part of the vocabulary.
            int known = tokens.IndexOf((string)added!["content"]!, 0, 3);
            added["id"] = known >= 0 ? known : next++;
            added.WriteTo(json);
        }
        json.WriteEndArray();
        json.WriteStartObject("model");
        Others(json, golden["model"]!.AsObject(), "vocab", "merges");
        json.WriteStartObject("vocab");
        for (int id = 0; id < tokens.Count; id++) json.WriteNumber(tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((string left, string right) in merges)
        {
            if (!pairs)
            {
                json.WriteStringValue($"{left} {right}");
                continue;
            }
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Others(Utf8JsonWriter json, JsonObject of, params string[] without)
    {
        foreach ((string key, JsonNode? value) in of)
        {
            if (without.Contains(key)) continue;
            json.WritePropertyName(key);
            if (value is null) json.WriteNullValue();
            else value.WriteTo(json);
        }
    }

    /// <summary>The printable characters that stand for bytes in byte-level vocabularies (GPT-2's bytes_to_unicode).</summary>
    private static string[] ByteAlphabet()
    {
        int next = 0x100;
        return [.. Enumerable.Range(0, 256).Select(value =>
            ((char)(value is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? value : next++)).ToString())];
    }

    private static string Spelled(string word, string[] alphabet) =>
        string.Concat(Encoding.UTF8.GetBytes(word).Select(value => alphabet[value]));

    private static IEnumerable<string> Bytes() =>
        ((string[])["<unk>", "<s>", "</s>"]).Concat(Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"));

    // What is not here is spelled in bytes.
    private static IEnumerable<string> Characters()
    {
        (int First, int Last)[] ranges = [(10, 10), (9, 9), (33, 126), (0x2581, 0x2581), (0x3B1, 0x3C9), (0x430, 0x44F), (0x627, 0x648),
            (0x905, 0x939), (0xE01, 0xE2E), (0x4E00, 0x4E00 + 5000), (0xAC00, 0xAC00 + 3000)];
        return from range in ranges
               from code in Enumerable.Range(range.First, range.Last - range.First + 1)
               select ((char)code).ToString();
    }

    private sealed class Vocabulary
    {
        private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
        private readonly Dictionary<long, int> _ranks = [];

        public Vocabulary(IEnumerable<string> first)
        {
            foreach (string token in first) Add(token);
        }

        public List<string> Tokens { get; } = [];

        public List<(string, string)> Merges { get; } = [];

        /// <summary>Merges a word, and makes one more token of two neighbours of what is left.</summary>
        public void Learn(string word, Random random)
        {
            var symbols = word.EnumerateRunes().Select(rune => _ids.GetValueOrDefault(rune.ToString(), -1)).ToList();
            while (true)
            {
                (int Rank, int At) best = (int.MaxValue, 0);
                for (int at = 0; at + 1 < symbols.Count; at++)
                    if (_ranks.TryGetValue(Pair(symbols, at), out int rank) && rank < best.Rank) best = (rank, at);
                if (best.Rank == int.MaxValue) break;
                symbols[best.At] = _ids[Tokens[symbols[best.At]] + Tokens[symbols[best.At + 1]]];
                symbols.RemoveAt(best.At + 1);
            }
            if (symbols.Count < 2) return;
            int place = random.Next(symbols.Count - 1);
            if (symbols[place] < 0 || symbols[place + 1] < 0) return;
            (string left, string right) = (Tokens[symbols[place]], Tokens[symbols[place + 1]]);
            if (_ids.ContainsKey(left + right)) return;
            _ranks.Add(Pair(symbols, place), Merges.Count);
            Merges.Add((left, right));
            Add(left + right);
        }

        /// <summary>Every way to put each token together from two others.</summary>
        public IEnumerable<(string, string)> Splits() =>
            from token in Tokens
            where !token.StartsWith('<') || !token.EndsWith('>')
            from at in Enumerable.Range(1, Math.Max(0, token.Length - 1))
            where _ids.ContainsKey(token[..at]) && _ids.ContainsKey(token[at..])
            select (token[..at], token[at..]);

        private void Add(string token)
        {
            _ids.Add(token, Tokens.Count);
            Tokens.Add(token);
        }

        private static long Pair(List<int> symbols, int at) => ((long)symbols[at] << 32) | (uint)symbols[at + 1];
    }
}
