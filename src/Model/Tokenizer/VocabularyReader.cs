using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>Reads the "model" of a tokenizer.json straight from its bytes: a vocabulary may have a quarter of a million tokens.</summary>
internal sealed class VocabularyReader(TokenizerJson json)
{
    private static readonly string[] Keys = ["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges"];

    private byte[] _scratch = new byte[1024];

    /// <summary>The model.</summary>
    public BpeModel Read(ReadOnlyMemory<byte> text)
    {
        if (text.Span is not [(byte)'{', ..]) throw json.Wrong($"model must be an object, got {ModelFiles.Kind(JsonSections.Parse(text))}");
        Dictionary<string, ReadOnlyMemory<byte>> parts = JsonSections.Read(text);
        var small = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach ((string key, ReadOnlyMemory<byte> value) in parts)
            if (!Keys.Contains(key))
                throw json.Wrong($"model has the unknown key {JsonSections.Short(key)}; known are {string.Join(", ", Keys)}");
            else if (key is not ("vocab" or "merges")) small.Add(key, JsonSections.Parse(value));
        JsonElement options = JsonSerializer.SerializeToElement(small, TokenizerJsonContext.Default.DictionaryStringJsonElement);
        json.Kind(options, "model", "BPE");
        foreach (string key in (ReadOnlySpan<string>)["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
            if (small.TryGetValue(key, out JsonElement value) && value.GetRawText() is not ("null" or "\"\"" or "0" or "0.0"))
                throw json.Wrong($"model.{key} is {ModelFiles.Kind(value)}; only BPE without it is supported");
        TokenTable vocabulary = Vocabulary(parts);
        return new BpeModel(vocabulary, Merges(parts, vocabulary), json.Flag(options, "ignore_merges"), json.Flag(options, "byte_fallback"),
            Unknown(options, vocabulary), json.Flag(options, "fuse_unk"));
    }

    private int? Unknown(JsonElement options, TokenTable vocabulary)
    {
        if (TokenizerJson.Optional(options, "unk_token") is null) return null;
        string token = json.Text(options, "unk_token", "model.");
        return vocabulary.Find(Encoding.UTF8.GetBytes(token)) is >= 0 and int id
            ? id : throw json.Wrong($"model.unk_token {token} is not in model.vocab");
    }

    private TokenTable Vocabulary(Dictionary<string, ReadOnlyMemory<byte>> parts)
    {
        if (!parts.TryGetValue("vocab", out ReadOnlyMemory<byte> text)) throw json.Wrong("model.vocab is missing");
        if (text.Span is not [(byte)'{', ..])
            throw json.Wrong($"model.vocab must be an object, got {ModelFiles.Kind(JsonSections.Parse(text))}");
        var table = new TokenTable();
        var reader = new Utf8JsonReader(text.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> token = Text(ref reader);
            int id = 0;
            // The token may lie in the scratch space, so it is added only after its id has been read.
            bool good = reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out id);
            if (!good || (uint)id >= TokenizerJson.MaxId)
                throw json.Wrong($"model.vocab: {Shown(token)} must have an id in [0, {TokenizerJson.MaxId}), got {Found(ref reader)}");
            if (!table.TryAdd(token, id)) throw json.Wrong($"model.vocab has {Shown(token)} twice");
        }
        // Ids may have gaps; but the arrays by id must stay in proportion to the file.
        if (table.Size > 65536 + 16L * table.Count)
            throw json.Wrong($"model.vocab has an id of {table.Size - 1} but only {table.Count} tokens; is the file damaged?");
        if (table.Index() is var (twice, one, other)) throw json.Wrong($"model.vocab: {one} and {other} both have id {twice}");
        return table;
    }

    private List<(int, int, int)> Merges(Dictionary<string, ReadOnlyMemory<byte>> parts, TokenTable vocabulary)
    {
        if (!parts.TryGetValue("merges", out ReadOnlyMemory<byte> text) || text.Span is not [(byte)'[', ..])
            throw json.Wrong("model.merges must be a list of pairs");
        var merges = new List<(int, int, int)>();
        var reader = new Utf8JsonReader(text.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                if (!Part(ref reader) || !Next(ref reader, out int left, out byte[] first, vocabulary) || !Part(ref reader)
                    || !Next(ref reader, out int right, out byte[] second, vocabulary)
                    || !reader.Read() || reader.TokenType != JsonTokenType.EndArray) throw WrongPair(merges.Count);
                merges.Add(Merge(first, second, left, right, vocabulary, merges.Count));
            }
            else if (reader.TokenType == JsonTokenType.String)
            {
                ReadOnlySpan<byte> pair = Text(ref reader);
                if (pair.StartsWith("#version"u8)) continue;
                int space = pair.IndexOf((byte)' ');
                if (space <= 0 || space == pair.Length - 1 || pair[(space + 1)..].Contains((byte)' ')) throw WrongPair(merges.Count);
                ReadOnlySpan<byte> left = pair[..space], right = pair[(space + 1)..];
                merges.Add(Merge(left, right, vocabulary.Find(left), vocabulary.Find(right), vocabulary, merges.Count));
            }
            else
            {
                throw WrongPair(merges.Count);
            }
        }
        return merges;
    }

    private static bool Part(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.String;

    private bool Next(ref Utf8JsonReader reader, out int id, out byte[] text, TokenTable vocabulary)
    {
        ReadOnlySpan<byte> part = Text(ref reader);
        id = vocabulary.Find(part);
        text = part.ToArray();
        return part.Length > 0;
    }

    private (int, int, int) Merge(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, int l, int r, TokenTable vocabulary, int index)
    {
        Span<byte> whole = left.Length + right.Length <= 512 ? stackalloc byte[512] : new byte[left.Length + right.Length];
        left.CopyTo(whole);
        right.CopyTo(whole[left.Length..]);
        int merged = vocabulary.Find(whole[..(left.Length + right.Length)]);
        return l >= 0 && r >= 0 && merged >= 0
            ? (l, r, merged)
            : throw json.Wrong($"model.merges[{index}]: {Shown(left)} + {Shown(right)}: a part or the whole is not in model.vocab");
    }

    private ModelException WrongPair(int index) => json.Wrong($"model.merges[{index}] must be \"a b\" or [\"a\", \"b\"]");

    private ReadOnlySpan<byte> Text(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return reader.ValueSpan;
        if (_scratch.Length < reader.ValueSpan.Length) _scratch = new byte[2 * reader.ValueSpan.Length];
        return _scratch.AsSpan(0, reader.CopyString(_scratch));
    }

    private static string Shown(ReadOnlySpan<byte> token) => JsonSections.Short(Encoding.UTF8.GetString(token));

    private static string Found(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => $"\"{JsonSections.Short(reader.GetString()!)}\"",
        _ => JsonSections.Short(Encoding.UTF8.GetString(reader.ValueSpan)),
    };
}
