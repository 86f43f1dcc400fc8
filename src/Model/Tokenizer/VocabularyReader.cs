using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>Reads the "model" of a tokenizer.json straight from its bytes: a vocabulary may have a quarter of a million tokens.</summary>
internal sealed class VocabularyReader(TokenizerJson json)
{
    private static readonly string[] Keys = ["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges"];

    /// <summary>What a token and its id take in a file, about.</summary>
    private const int BytesOfToken = 24;

    // The two parts of a merge, one behind the other.
    private byte[] _whole = new byte[1024];

    /// <summary>The model.</summary>
    /// <param name="text">All of it.</param>
    /// <param name="parts">Its values.</param>
    public BpeModel Read(ReadOnlyMemory<byte> text, Dictionary<string, ReadOnlyMemory<byte>> parts)
    {
        if (text.Span is not [(byte)'{', ..]) throw json.Wrong($"model must be an object, got {ModelFiles.Kind(JsonSections.Parse(text))}");
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
        var table = new TokenTable(text.Length / BytesOfToken);
        Tokens(text.Span, table);
        // Ids may have gaps; but the arrays by id must stay in proportion to the file.
        if (table.Size > 65536 + 16L * table.Count)
            throw json.Wrong($"model.vocab has an id of {table.Size - 1} but only {table.Count} tokens; is the file damaged?");
        if (table.Index() is var (twice, one, other)) throw json.Wrong($"model.vocab: {one} and {other} both have id {twice}");
        return table;
    }

    [MethodImpl(Hot.Path)]
    private void Tokens(ReadOnlySpan<byte> text, TokenTable table)
    {
        var cursor = new JsonCursor(text);
        cursor.Take('{');
        while (cursor.Peek() == '"')
        {
            ReadOnlySpan<byte> token = cursor.String();
            cursor.Take(':');
            int id = cursor.Number();
            if ((uint)id >= TokenizerJson.MaxId)
                throw json.Wrong($"model.vocab: {Shown(token)} must have an id in [0, {TokenizerJson.MaxId}), got {Found(cursor, id)}");
            if (!table.TryAdd(token, id)) throw json.Wrong($"model.vocab has {Shown(token)} twice");
            cursor.Take(',');
        }
    }

    [MethodImpl(Hot.Path)]
    private List<(int, int, int)> Merges(Dictionary<string, ReadOnlyMemory<byte>> parts, TokenTable vocabulary)
    {
        if (!parts.TryGetValue("merges", out ReadOnlyMemory<byte> text) || text.Span is not [(byte)'[', ..])
            throw json.Wrong("model.merges must be a list of pairs");
        var merges = new List<(int, int, int)>(vocabulary.Count);
        var cursor = new JsonCursor(text.Span);
        cursor.Take('[');
        while (cursor.Peek() is not ((byte)']' or 0))
        {
            if (cursor.Take('['))
            {
                int left = Part(ref cursor, 0, vocabulary, out int first);
                if (left == 0 || !cursor.Take(',')) throw WrongPair(merges.Count);
                int right = Part(ref cursor, left, vocabulary, out int second);
                if (right == 0 || !cursor.Take(']')) throw WrongPair(merges.Count);
                merges.Add(Merge(left, right, first, second, vocabulary, merges.Count));
            }
            else if (cursor.Peek() == '"')
            {
                ReadOnlySpan<byte> pair = cursor.String();
                int space = pair.IndexOf((byte)' ');
                bool two = space > 0 && space < pair.Length - 1 && !pair[(space + 1)..].Contains((byte)' ');
                if (two)
                {
                    int first = Put(pair[..space], 0, vocabulary), second = Put(pair[(space + 1)..], space, vocabulary);
                    merges.Add(Merge(space, pair.Length - space - 1, first, second, vocabulary, merges.Count));
                }
                else if (!pair.StartsWith("#version"u8))
                {
                    throw WrongPair(merges.Count);
                }
            }
            else
            {
                throw WrongPair(merges.Count);
            }
            cursor.Take(',');
        }
        return merges;
    }

    /// <summary>Reads a part of a merge, and returns its length; 0 where there is none.</summary>
    private int Part(ref JsonCursor cursor, int at, TokenTable vocabulary, out int id)
    {
        id = -1;
        if (cursor.Peek() != '"') return 0;
        ReadOnlySpan<byte> part = cursor.String();
        id = Put(part, at, vocabulary);
        return part.Length;
    }

    private int Put(ReadOnlySpan<byte> part, int at, TokenTable vocabulary)
    {
        if (at + part.Length > _whole.Length) Array.Resize(ref _whole, 2 * (at + part.Length));
        part.CopyTo(_whole.AsSpan(at));
        return vocabulary.Find(part);
    }

    private (int, int, int) Merge(int left, int right, int l, int r, TokenTable vocabulary, int index)
    {
        ReadOnlySpan<byte> whole = _whole.AsSpan(0, left + right);
        int merged = vocabulary.Find(whole);
        return l >= 0 && r >= 0 && merged >= 0
            ? (l, r, merged)
            : throw json.Wrong($"model.merges[{index}]: {Shown(whole[..left])} + {Shown(whole[left..])}: "
                + "a part or the whole is not in model.vocab");
    }

    private ModelException WrongPair(int index) => json.Wrong($"model.merges[{index}] must be \"a b\" or [\"a\", \"b\"]");

    private static string Shown(ReadOnlySpan<byte> token) => JsonSections.Short(Encoding.UTF8.GetString(token));

    private static string Found(JsonCursor cursor, int number)
    {
        if (number >= 0) return number.ToString(CultureInfo.InvariantCulture);
        var reader = new Utf8JsonReader(cursor.Rest, isFinalBlock: false, default);
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "a list",
            JsonTokenType.String => $"\"{JsonSections.Short(reader.GetString()!)}\"",
            _ => JsonSections.Short(Encoding.UTF8.GetString(reader.ValueSpan)),
        };
    }
}
