using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Reads a tokenizer.json. What it may hold is a list of kinds that are computed exactly; any other is refused by name, because
/// other ids would make a model talk nonsense without an error.
/// </summary>
internal sealed class TokenizerFile
{
    // Truncation and padding are for batches of one length; every text here is encoded whole.
    private static readonly string[] Keys = ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
        "post_processor", "decoder", "model"];

    private const int MaxAddedLength = 1024;
    private readonly TokenizerJson _json;

    private TokenizerFile(TokenizerJson json) => _json = json;

    /// <summary>Reads the bytes of the file; the path is for messages.</summary>
    public static TokenizerParts Read(string path, ReadOnlyMemory<byte> json)
    {
        ReadOnlyMemory<byte> text = json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json;
        if (!Utf8.IsValid(text.Span)) throw new ModelException($"{path}: not valid JSON: not UTF-8");
        try
        {
            var sections = JsonSections.Read(text, "model", out Dictionary<string, ReadOnlyMemory<byte>> model);
            return new TokenizerFile(new TokenizerJson(path)).Read(sections, model);
        }
        catch (JsonException e)
        {
            throw new ModelException($"{path}: not valid JSON: {ModelFiles.OneLine(e.Message)}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelException($"{path}: not valid JSON: an escape that is half a character", e);
        }
    }

    private TokenizerParts Read(Dictionary<string, ReadOnlyMemory<byte>> sections, Dictionary<string, ReadOnlyMemory<byte>> ofModel)
    {
        foreach (string key in sections.Keys)
            if (!Keys.Contains(key))
                throw _json.Wrong($"the key {JsonSections.Short(key)} is not known; known are {string.Join(", ", Keys)}");
        JsonElement? Part(string key) => sections.TryGetValue(key, out ReadOnlyMemory<byte> text)
            && JsonSections.Parse(text) is { ValueKind: not JsonValueKind.Null } value ? value : null;
        if (Part("version") is { } version && !(version.ValueKind == JsonValueKind.String && version.ValueEquals("1.0")))
            throw _json.Wrong($"version is {ModelFiles.Kind(version)}; supported: 1.0");
        if (!sections.TryGetValue("model", out ReadOnlyMemory<byte> text)) throw _json.Wrong("model is missing");
        BpeModel model = new VocabularyReader(_json).Read(text, ofModel);
        TextNormalizer normalizer = TextNormalizer.Read(_json, Part("normalizer"));
        PreTokenizer cutting = new PreTokenizerReader(_json).Read(Part("pre_tokenizer"));
        AddedToken[] added = Added(Part("added_tokens"), model.Vocabulary);
        DecodingRules rules = new DecoderReader(_json).Read(Part("decoder") ?? throw _json.Wrong("decoder is missing"));
        var texts = new TokenTexts(rules, model.Vocabulary,
            [.. added.Select(token => (token.Id, token.Normalized ? normalizer.Apply(token.Text) : token.Text))]);
        (int[] before, int[] after) = new TemplateReader(_json).Read(Part("post_processor"));
        foreach (int id in before.Concat(after))
            if (!texts.Has(id)) throw _json.Wrong($"post_processor: id {id} is not in the vocabulary");
        return new TokenizerParts
        {
            Normalizer = normalizer,
            PreTokenizer = cutting,
            Model = model,
            Symbols = cutting.ByteLevel
                ? new ByteSymbols([.. Enumerable.Range(0, 256).Select(b => ByteId(model.Vocabulary, (byte)b))])
                : new CharacterSymbols(model),
            Added = added,
            Texts = texts,
            Before = before,
            After = after,
        };
    }

    private AddedToken[] Added(JsonElement? value, TokenTable vocabulary)
    {
        if (value is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw _json.Wrong($"added_tokens must be a list, got {ModelFiles.Kind(list)}");
        var added = new List<AddedToken>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object) throw _json.Wrong($"added_tokens must hold objects, got {ModelFiles.Kind(entry)}");
            string text = _json.Text(entry, "content", "added_tokens: ");
            if (text.Length == 0) throw _json.Wrong("added_tokens: one has an empty content");
            if (text.Length > MaxAddedLength)
                throw _json.Wrong($"added_tokens: one has {text.Length} characters, at most {MaxAddedLength} are allowed");
            if (!entry.TryGetProperty("id", out JsonElement id)) throw _json.Wrong($"added_tokens: {text} has no id");
            int number = _json.Id(id, $"added_tokens: {text}");
            added.Add(new AddedToken(number, text, _json.Flag(entry, "special"), _json.Flag(entry, "normalized"))
            {
                SingleWord = _json.Flag(entry, "single_word"),
                StripsLeft = _json.Flag(entry, "lstrip"),
                StripsRight = _json.Flag(entry, "rstrip"),
            });
        }
        int most = 65536 + 16 * (vocabulary.Count + added.Count);
        foreach (AddedToken token in added)
        {
            if (token.Id >= most)
                throw _json.Wrong(
                    $"added_tokens: {token.Text} has id {token.Id} among {vocabulary.Count + added.Count} tokens; is the file damaged?");
            int known = vocabulary.Find(Encoding.UTF8.GetBytes(token.Text));
            if (known >= 0 && known != token.Id)
                throw _json.Wrong($"added_tokens: {token.Text} has id {token.Id}, in model.vocab it has {known}");
        }
        return [.. added];
    }

    private int ByteId(TokenTable vocabulary, byte value) =>
        vocabulary.Find(Encoding.UTF8.GetBytes(ByteAlphabet.Spell(value).ToString())) is >= 0 and int id
            ? id
            : throw _json.Wrong($"model.vocab lacks the token of byte 0x{value:X2}; byte-level vocabularies must have all 256");
}
