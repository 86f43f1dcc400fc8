using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tests.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class TokenizerFileTests
{
    // Quotes and brackets stay as they are, so that messages can be compared.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const string Sequence = """{"type": "Sequence", "pretokenizers": [SPLIT, {"type": "ByteLevel", "use_regex": false}]}""";

    [Theory]
    [InlineData("model.type", "\"Unigram\"", "model is of kind Unigram; supported: BPE")]
    [InlineData("model", null, "model is missing")]
    [InlineData("model", "7", "model must be an object, got 7")]
    [InlineData("model.dropout", "0.1", "model.dropout is 0.1; only BPE without it")]
    [InlineData("model.unk_token", "\"<unk>\"", "model.unk_token <unk> is not in model.vocab")]
    [InlineData("model.extra", "1", "model has the unknown key extra; known are type, dropout")]
    [InlineData("extra", "1", "the key extra is not known; known are version, truncation")]
    [InlineData("version", "\"2.0\"", "version is \"2.0\"; supported: 1.0")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix is \"</w>\"")]
    [InlineData("model.byte_fallback", "3", "byte_fallback must be true or false, got 3")]
    [InlineData("model.vocab", null, "model.vocab is missing")]
    [InlineData("model.vocab", "{}", "model.merges[0]: Ġ + ")]
    [InlineData("model.vocab.!", null, "a part or the whole is not in model.vocab")]
    [InlineData("model.vocab.!", "-1", "model.vocab: ! must have an id in [0, 4194304), got -1")]
    [InlineData("model.vocab.!", "\"a\"", "model.vocab: ! must have an id in [0, 4194304), got \"a\"")]
    [InlineData("model.vocab.!", "5", "# and ! both have id 5")]
    [InlineData("model.merges", null, "model.merges must be a list")]
    [InlineData("model.merges", """["a b c"]""", "model.merges[0] must be \"a b\"")]
    [InlineData("model.merges", """["a"]""", "model.merges[0] must be \"a b\"")]
    [InlineData("model.merges", """[["a", 1]]""", "model.merges[0] must be \"a b\"")]
    [InlineData("model.merges", """["! !!!!"]""", "model.merges[0]: ! + !!!!: a part or the whole is not in model.vocab")]
    [InlineData("normalizer", """{"type": "NFKC"}""", "normalizer is of kind NFKC; supported: NFC, Prepend, Replace, Sequence")]
    [InlineData("normalizer", """{"type": "Sequence", "normalizers": [{"type": "Nmt"}]}""", "normalizer.normalizers[0] is of kind Nmt")]
    [InlineData("normalizer", """{"type": "Replace", "pattern": {"String": ""}, "content": ""}""", "normalizer.pattern.String is empty")]
    [InlineData("normalizer", "[]", "normalizer must be an object, got a list")]
    [InlineData("pre_tokenizer.type", "\"BertPreTokenizer\"", "pre_tokenizer is of kind BertPreTokenizer; supported: ByteLevel, Digits")]
    [InlineData("pre_tokenizer", """{"type": "Metaspace", "replacement": "ab"}""", "pre_tokenizer.replacement must be one character")]
    [InlineData("decoder", null, "decoder is missing")]
    [InlineData("decoder.type", "\"Fuse\"", "decoder is of kind Fuse; supported: ByteLevel, Metaspace, Sequence")]
    [InlineData("post_processor", """{"type": "BertProcessing"}""", "post_processor is of kind BertProcessing; supported: ByteLevel, Temp")]
    [InlineData("post_processor", """{"type": "TemplateProcessing"}""", "post_processor.single must be a list")]
    [InlineData("post_processor", """{"type": "TemplateProcessing", "single": []}""", "post_processor.single does not name the text")]
    [InlineData("added_tokens", "3", "added_tokens must be a list, got 3")]
    [InlineData("added_tokens", """[{"id": 9000000, "content": "x"}]""", "added_tokens: x must have an id in [0, 4194304), got 9000000")]
    [InlineData("added_tokens", """[{"content": "x"}]""", "added_tokens: x has no id")]
    [InlineData("added_tokens", """[{"id": 1, "content": ""}]""", "added_tokens: one has an empty content")]
    [InlineData("added_tokens", """[{"id": 1, "content": "x", "lstrip": 1}]""", "lstrip must be true or false, got 1")]
    [InlineData("added_tokens", """[{"id": 1, "content": "!"}]""", "added_tokens: ! has id 1, in model.vocab it has")]
    [InlineData("added_tokens", """[{"id": 4000000, "content": "x"}]""", "added_tokens: x has id 4000000 among 4097 tokens; is the file")]
    [InlineData("decoder", """{"type": "Sequence", "decoders": [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]}""",
        "decoder.decoders[0] is Strip without Fuse before it")]
    [InlineData("decoder", """{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]}""",
        "decoder.decoders[1] is ByteFallback; supported in this order: Replace, ByteFallback, Fuse, Strip")]
    public void A_kind_that_is_not_supported_is_refused_by_name(string key, string? value, string expected) =>
        Assert.Contains(expected, Refusal(Changed(key, value)));

    [Theory]
    [InlineData("""{"type": "Whitespace"}""", "pre_tokenizer.pretokenizers[0] is of kind Whitespace; supported: ByteLevel, Digits")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "(?<!a)b"}, "behavior": "Isolated"}""",
        "(?<!a)b has this kind of group at character 3")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "a*"}, "behavior": "Isolated"}""", "the pattern a* can match the empty text")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "a+?"}, "behavior": "Isolated"}""", "has a lazy repeat at character 3")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "\\p{Greek}"}, "behavior": "Isolated"}""",
        "has the category Greek at character 3")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}""", "has a group that is not closed")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "((a{900}){900}){9}"}, "behavior": "Isolated"}""", "takes more than 4096 steps")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Away"}""", "behavior is Away; supported: Isolated, Removed")]
    [InlineData("""{"type": "Split", "pattern": {}, "behavior": "Isolated"}""", "pattern.Regex is missing")]
    public void A_split_that_is_not_known_is_refused_with_its_pattern(string split, string expected) =>
        Assert.Contains(expected, Refusal(Changed("pre_tokenizer", Sequence.Replace("SPLIT", split))));

    [Fact]
    public void A_byte_level_vocabulary_has_all_bytes()
    {
        JsonObject root = Root();
        root["model"]!["vocab"]!.AsObject().Remove("!");
        root["model"]!["merges"] = new JsonArray();
        Assert.Contains("model.vocab lacks the token of byte 0x21", Refusal(root.ToJsonString(Plain)));
    }

    [Fact]
    public void A_folder_without_a_tokenizer_says_so()
    {
        using var folder = new TempFolder();
        Assert.Contains("has no tokenizer.json", Assert.Throws<ModelException>(() => BpeTokenizer.Load(folder.Path)).Message);
        folder.Write("tokenizer.json", "{");
        Assert.Contains("tokenizer.json: not valid JSON", Assert.Throws<ModelException>(() => BpeTokenizer.Load(folder.Path)).Message);
    }

    [Fact]
    public void Merges_may_be_spelled_as_text_or_as_pairs()
    {
        JsonObject root = Root();
        JsonArray pairs = root["model"]!["merges"]!.AsArray();
        root["model"]!["merges"] = new JsonArray([.. pairs.Select(pair => (JsonNode)$"{pair![0]} {pair[1]}")]);
        BpeTokenizer spelled = Parse(root.ToJsonString());
        int[] tokens = Golden.Read(Repository.At("models", "sample", "heldout.json")).Ints("heldout_tokens");
        string text = Golden.Sample.Decode(tokens.AsSpan(0, 2000));
        Assert.Equal(Golden.Sample.Encode(text), spelled.Encode(text));
    }

    [Fact]
    public void Of_added_tokens_the_leftmost_counts_and_then_the_longest()
    {
        BpeTokenizer tokenizer = Parse(Changed("added_tokens", """
            [{"id": 5000, "content": "<a"}, {"id": 5001, "content": "<a>"}, {"id": 5002, "content": "x<"},
             {"id": 5003, "content": "é~", "special": true}]
            """));
        int x = tokenizer.IdOf("x")!.Value, greater = tokenizer.IdOf(">")!.Value;
        Assert.Equal([5001, 5000, x], tokenizer.Encode("<a><ax"));
        Assert.Equal([5002, tokenizer.IdOf("a")!.Value, greater], tokenizer.Encode("x<a>"));
        Assert.Equal("<a>x<", tokenizer.Decode([5001, 5003, 5002], skipSpecial: true));
        Assert.Equal(5004, tokenizer.Size);
        Assert.Contains("token id 4500 is not", Assert.Throws<ModelException>(() => tokenizer.Decode([4500])).Message);
    }

    [Fact]
    public void An_added_token_that_is_normalized_is_looked_for_in_the_composed_text()
    {
        JsonObject root = JsonNode.Parse(Changed("added_tokens", """
            [{"id": 5000, "content": "caf\u00e9", "normalized": true}, {"id": 5001, "content": "raw\u00e9", "normalized": false}]
            """))!.AsObject();
        root["normalizer"] = new JsonObject { ["type"] = "NFC" };
        BpeTokenizer tokenizer = Parse(root.ToJsonString());
        Assert.Equal([5000], tokenizer.Encode("cafe\u0301"));
        Assert.Equal([5001], tokenizer.Encode("raw\u00e9"));
        Assert.DoesNotContain(5001, tokenizer.Encode("rawe\u0301"));
    }

    [Fact]
    public void A_template_sets_its_tokens_around_the_text_when_asked_to()
    {
        const string template = """
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "B"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "E"}}],
             "special_tokens": {"B": {"ids": [1]}, "E": {"ids": [2, 0]}}}
            """;
        const string sequence = """{"type": "Sequence", "processors": [{"type": "ByteLevel"}, """ + template + "]}";
        foreach (string processor in (string[])[template, sequence])
        {
            BpeTokenizer tokenizer = Parse(Changed("post_processor", processor));
            int[] plain = tokenizer.Encode("to be", addSpecial: false);
            Assert.Equal(Golden.Sample.Encode("to be"), plain);
            Assert.Equal([1, .. plain, 2, 0], tokenizer.Encode("to be"));
        }
        string unknown = Changed("post_processor", template.Replace("[1]", "[4096]"));
        Assert.Contains("post_processor: id 4096 is not in the vocabulary", Refusal(unknown));
        string unnamed = Changed("post_processor", template.Replace("{\"B\"", "{\"C\""));
        Assert.Contains("post_processor.special_tokens.B is missing", Refusal(unnamed));
    }

    [Fact]
    public void Whole_pieces_are_looked_up_before_merging_where_merges_are_ignored()
    {
        JsonObject root = Root();
        root["model"]!["vocab"]!.AsObject().Add("Ġzyzzyva", 4096);
        BpeTokenizer merging = Parse(root.ToJsonString());
        root["model"]!["ignore_merges"] = true;
        BpeTokenizer looking = Parse(root.ToJsonString());
        Assert.DoesNotContain(4096, merging.Encode("a zyzzyva"));
        Assert.Equal([.. merging.Encode("a"), 4096], looking.Encode("a zyzzyva"));
        Assert.Equal(merging.Encode("some other words"), looking.Encode("some other words"));
    }

    private static JsonObject Root() => JsonNode.Parse(File.ReadAllText(Repository.At("models", "sample", "tokenizer.json")))!.AsObject();

    private static BpeTokenizer Parse(string json) => BpeTokenizer.Parse("dir/tokenizer.json", Encoding.UTF8.GetBytes(json));

    private static string Refusal(string json)
    {
        string message = Assert.Throws<ModelException>(() => Parse(json)).Message;
        Assert.StartsWith("dir/tokenizer.json: ", message);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    /// <summary>The sample's tokenizer with one value, found by a dotted path, set or removed.</summary>
    private static string Changed(string path, string? value)
    {
        JsonObject root = Root();
        string[] keys = path.Split('.');
        JsonObject at = root;
        foreach (string key in keys[..^1]) at = at[key]!.AsObject();
        at.Remove(keys[^1]);
        if (value is not null) at[keys[^1]] = JsonNode.Parse(value);
        return root.ToJsonString(Plain);
    }
}
