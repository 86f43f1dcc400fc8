using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Reads a tokenizer.json. What it may hold is a short list of kinds that are computed exactly; any other is refused by name, because
/// other ids would make a model talk nonsense without an error.
/// </summary>
internal sealed class TokenizerFile
{
    private readonly TokenizerJson _json;

    private TokenizerFile(TokenizerJson json) => _json = json;

    /// <summary>Reads the bytes of the file; the path is for messages.</summary>
    public static TokenizerParts Read(string path, ReadOnlyMemory<byte> json)
    {
        JsonElement root = ModelFiles.Object(path, json);
        return new TokenizerFile(new TokenizerJson(path)).Read(root);
    }

    private TokenizerParts Read(JsonElement root)
    {
        JsonElement model = _json.Object(root, "model");
        Dictionary<string, int> vocabulary = Vocabulary(model);
        AddedToken[] added = Added(root);
        string?[] tokens = new string?[1 + vocabulary.Values.Concat(added.Select(token => token.Id)).DefaultIfEmpty(-1).Max()];
        foreach ((string token, int id) in vocabulary)
            tokens[id] = tokens[id] is { } other ? throw _json.Wrong($"model.vocab: {other} and {token} both have id {id}") : token;
        foreach (AddedToken token in added) tokens[token.Id] = token.Text;
        CheckDecoder(root);
        (int[] before, int[] after) = new TemplateReader(_json).Read(TokenizerJson.Optional(root, "post_processor"));
        foreach (int id in before.Concat(after))
            if (id >= tokens.Length || tokens[id] is null) throw _json.Wrong($"post_processor: id {id} is not in the vocabulary");
        return new TokenizerParts
        {
            Nfc = Nfc(root),
            PreTokenizer = Cutting(root),
            Tokens = tokens,
            ByteIds = [.. Enumerable.Range(0, 256).Select(b => ByteId(vocabulary, (byte)b))],
            Merges = Merges(model, vocabulary),
            WholePieces = _json.Flag(model, "ignore_merges") ? vocabulary : null,
            Added = added,
            Before = before,
            After = after,
        };
    }

    private Dictionary<string, int> Vocabulary(JsonElement model)
    {
        _json.Kind(model, "model", "BPE");
        foreach (string key in (ReadOnlySpan<string>)["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            if (TokenizerJson.Optional(model, key) is { } value && value.GetRawText() is not ("\"\"" or "0" or "0.0"))
                throw _json.Wrong($"model.{key} is {ModelFiles.Kind(value)}; only BPE without it is supported");
        if (_json.Flag(model, "byte_fallback")) throw _json.Wrong("model.byte_fallback is true; only byte-level BPE is supported");
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty entry in _json.Object(model, "vocab", "model.").EnumerateObject())
            vocabulary.Add(entry.Name, _json.Id(entry.Value, $"model.vocab: {entry.Name}"));
        return vocabulary;
    }

    private AddedToken[] Added(JsonElement root)
    {
        if (TokenizerJson.Optional(root, "added_tokens") is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw _json.Wrong($"added_tokens must be a list, got {ModelFiles.Kind(list)}");
        var added = new List<AddedToken>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object) throw _json.Wrong($"added_tokens must hold objects, got {ModelFiles.Kind(entry)}");
            string text = _json.Text(entry, "content", "added_tokens: ");
            if (text.Length == 0) throw _json.Wrong("added_tokens: one has an empty content");
            foreach (string key in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip"])
                if (_json.Flag(entry, key)) throw _json.Wrong($"added_tokens: {text} has {key}; only tokens without it are supported");
            if (!entry.TryGetProperty("id", out JsonElement id)) throw _json.Wrong($"added_tokens: {text} has no id");
            bool special = _json.Flag(entry, "special"), normalized = _json.Flag(entry, "normalized");
            added.Add(new AddedToken(_json.Id(id, $"added_tokens: {text}"), text, special, normalized));
        }
        return [.. added];
    }

    private BytePairMerges Merges(JsonElement model, Dictionary<string, int> vocabulary)
    {
        if (!model.TryGetProperty("merges", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw _json.Wrong("model.merges must be a list of pairs");
        var merges = new List<(int, int, int)>(list.GetArrayLength());
        foreach (JsonElement entry in list.EnumerateArray())
        {
            (string left, string right) = Pair(entry, merges.Count);
            if (!vocabulary.TryGetValue(left, out int l) || !vocabulary.TryGetValue(right, out int r)
                || !vocabulary.TryGetValue(left + right, out int merged))
                throw _json.Wrong($"model.merges[{merges.Count}]: {left} + {right}: a part or the whole is not in model.vocab");
            merges.Add((l, r, merged));
        }
        return new BytePairMerges(merges);
    }

    private (string, string) Pair(JsonElement entry, int index)
    {
        string[]? parts = entry.ValueKind switch
        {
            JsonValueKind.String => entry.GetString()!.Split(' '),
            JsonValueKind.Array when entry.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) =>
                [.. entry.EnumerateArray().Select(part => part.GetString()!)],
            _ => null,
        };
        return parts is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw _json.Wrong($"model.merges[{index}] must be \"a b\" or [\"a\", \"b\"], got {ModelFiles.Kind(entry)}");
    }

    private int ByteId(Dictionary<string, int> vocabulary, byte value) =>
        vocabulary.TryGetValue(ByteAlphabet.Spell(value).ToString(), out int id)
            ? id
            : throw _json.Wrong($"model.vocab lacks the token of byte 0x{value:X2}; only vocabularies with all 256 are supported");

    private bool Nfc(JsonElement root)
    {
        if (TokenizerJson.Optional(root, "normalizer") is not { } normalizer) return false;
        _json.Kind(normalizer, "normalizer", "NFC");
        return true;
    }

    private PreTokenizerKind Cutting(JsonElement root)
    {
        JsonElement cut = _json.Object(root, "pre_tokenizer");
        switch (_json.Kind(cut, "pre_tokenizer", "ByteLevel", "Sequence"))
        {
            case "ByteLevel":
                CheckByteLevel(cut, "pre_tokenizer", useRegex: true);
                return PreTokenizerKind.Gpt2;
            default:
                if (!cut.TryGetProperty("pretokenizers", out JsonElement list) || list.ValueKind != JsonValueKind.Array
                    || list.GetArrayLength() != 2) throw _json.Wrong("pre_tokenizer: only a Sequence of Split and ByteLevel is supported");
                _json.Kind(list[0], "pre_tokenizer.pretokenizers[0]", "Split");
                _json.Kind(list[1], "pre_tokenizer.pretokenizers[1]", "ByteLevel");
                CheckByteLevel(list[1], "pre_tokenizer.pretokenizers[1]", useRegex: false);
                return Split(list[0]);
        }
    }

    private PreTokenizerKind Split(JsonElement split)
    {
        const string at = "pre_tokenizer.pretokenizers[0]";
        if (_json.Text(split, "behavior", at + ".") is var behavior && behavior != "Isolated")
            throw _json.Wrong($"{at}.behavior is {behavior}; only Isolated is supported");
        if (_json.Flag(split, "invert")) throw _json.Wrong($"{at}.invert is true; only false is supported");
        return _json.Text(_json.Object(split, "pattern", at + "."), "Regex", at + ".pattern.") switch
        {
            PreTokenizer.QwenPattern => PreTokenizerKind.Qwen,
            PreTokenizer.Gpt2Pattern => PreTokenizerKind.Gpt2,
            var pattern => throw _json.Wrong($"{at}: the pattern {pattern} is not one of the known, those of GPT-2 and of Qwen"),
        };
    }

    private void CheckByteLevel(JsonElement level, string at, bool useRegex)
    {
        if (_json.Flag(level, "add_prefix_space")) throw _json.Wrong($"{at}.add_prefix_space is true; only false is supported");
        if ((TokenizerJson.Optional(level, "use_regex") is not { ValueKind: JsonValueKind.False }) != useRegex)
            throw _json.Wrong($"{at}.use_regex must be {(useRegex ? "true" : "false")} here");
    }

    private void CheckDecoder(JsonElement root) => _json.Kind(_json.Object(root, "decoder"), "decoder", "ByteLevel");
}
