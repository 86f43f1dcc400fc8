using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Testing.Fuzz;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>
/// tokenizer.json files of every style with a vocabulary of some hundred tokens, damaged in their options, patterns, ids and merges. What
/// loads encodes texts to ids that it knows, and gives the same text for them at once and one by one.
/// </summary>
internal sealed class TokenizerTarget : FuzzTarget
{
    private const int Small = 300;

    private static readonly string[] s_patterns =
    [
        @"\\p{N}{1,3}", "a*b", "(?:aaa)*b", "a*b|a", "(a|aa)*c", "(?:(?:(?:a{9}){9}){9}){9}", "(){1000}{1000}{1000}", "a{1}{1}{1}{1}{1}",
            "x?????",
        "[a-", "[z-a]", "(((((a", "(?i:k)", "(?<=a)b", "(?=ab)", "a++", "a{2,1}", "\\\\", "[^\\\\s\\\\S]", "$", "^a", "(?!a)",
        "\\\\x{110000}", "\\\\uD800",
        "[[[[a]]]]", "(.|\\\\n)*", ".", "", "a|", "(?:.*a){9}", "\\\\p{L}\\\\P{L}\\\\p{^L}",
        "[\\\\p{L}\\\\p{N}\\\\p{M}\\\\p{P}]*[^\\\\p{L}]+", "\U0001F600+",
    ];

    private static readonly JsonMutator s_json = new(["type", "pattern", "Regex", "String", "content", "behavior", "invert", "prepend",
        "replacement",
            "prepend_scheme", "split", "add_prefix_space", "use_regex", "individual_digits", "normalizers", "pretokenizers", "decoders",
            "processors",
            "single", "special_tokens", "ids", "id", "lstrip", "rstrip", "single_word", "normalized", "special", "byte_fallback",
            "fuse_unk",
            "ignore_merges", "unk_token", "dropout", "start", "stop", "model", "vocab", "merges", "added_tokens", "decoder"],
        [
            .. s_patterns.Select(pattern => $$"""{"Regex": "{{pattern}}"}"""), .. s_patterns.Select(pattern => $"\"{pattern}\""),
            """{"String": " "}""", """{"String": ""}""", """{"String": "a"}""", "\"\\u2581\"", "\" \"", "\"Isolated\"", "\"Removed\"",
            "\"Contiguous\"", "\"MergedWithPrevious\"", "\"MergedWithNext\"", "\"first\"", "\"never\"", "\"always\"", "\"a b\"",
            "[\"a\", \"b\"]",
            """{"type": "NFC"}""", """{"type": "Prepend", "prepend": "xyz"}""",
            """{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"}""",
            """{"type": "Replace", "pattern": {"Regex": "."}, "content": "ab"}""",
            """{"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"}""",
            """{"type": "Digits", "individual_digits": true}""", """{"type": "Punctuation"}""", """{"type": "ByteLevel"}""",
            """{"type": "ByteFallback"}""",
            """{"type": "Fuse"}""", """{"type": "Strip", "content": " ", "start": 1, "stop": 0}""",
            """{"id": 3, "content": "a", "special": true}""",
            """{"id": 299, "content": "hello", "normalized": true, "lstrip": true, "rstrip": true}""", """{"Sequence": {"id": "A"}}""",
            """{"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated"}""", """{"type": "Sequence", "pretokenizers": []}""",
        ],
        new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["Regex"] = [.. s_patterns.Select(pattern => $"\"{pattern}\"")],
            ["pattern"] = [.. s_patterns.Select(pattern => $$"""{"Regex": "{{pattern}}"}"""), """{"String": " "}""", """{"String": "a"}"""],
            ["behavior"] = ["\"Isolated\"", "\"Removed\"", "\"Contiguous\"", "\"MergedWithPrevious\"", "\"MergedWithNext\""],
            ["invert"] = ["true", "false"],
            ["replacement"] = ["\"a\"", "\"\u2581\"", "\"_\"", "\" \"", "\"\u0000\""],
            ["prepend"] = ["\"a\"", "\"\"", "\"e\u0301\""],
            ["content"] = ["\"a\"", "\"\"", "\" \"", "\"aaaaaaaaaaaaaaaa\"", "\"\u2581\"", "\"<s>\"", "\"😀\""],
            ["String"] = ["\"a\"", "\"aa\"", "\" \"", "\"\u2581\"", "\"😀\""],
            ["prepend_scheme"] = ["\"first\"", "\"never\"", "\"always\""],
            ["id"] = ["0", "1", "2", "19", "20", "299", "4194303", "70000", "\"<s>\""],
            ["ids"] = ["[]", "[0]", "[1, 1]", "[299, 0]"],
            ["unk_token"] = ["\"<unk>\"", "\"a\"", "null"],
            ["byte_fallback"] = ["true", "false"],
            ["ignore_merges"] = ["true", "false"],
            ["merges"] = ["[]", "[\"a a\", \"a a\", \"aa a\"]", "[[\"a\", \"b\"], [\"a\", \"b\"]]"],
            ["normalizer"] = ["null", """{"type": "NFC"}""", """{"type": "Replace", "pattern": {"String": "a"}, "content": ""}"""],
            ["pre_tokenizer"] = ["null", """{"type": "ByteLevel"}""", """{"type": "Metaspace", "replacement": "a"}"""],
            ["decoder"] = ["""{"type": "ByteLevel"}""", """{"type": "Metaspace", "replacement": "a"}""",
            """{"type": "Sequence", "decoders": []}"""],
            ["post_processor"] = ["null", """{"type": "ByteLevel"}"""],
        });

    private static readonly string[] s_texts =
    [
        "Hello, world! 12345 it's", "  \t\n\r\n a  b ", "\u2581\u2581x \u2581",
        "\u00e9e\u0301\uac00\u1100\u1161\U0001F600\U0001F469\u200D\U0001F4BB", "<0x41><s></s>", "",
        "\0\u001b\uFFFD\uFFFF", new string('a', 600), string.Concat(Enumerable.Repeat("aaaaaaab ", 80)), "\uD800x\uDC00",
    ];

    public override string Kind => "tokenizers";

    public override int Cases => 10_000;

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Golden().Concat(Own())];

    public override bool IsRefusal(Exception e) => e is ModelException;

    // Of a pattern: the class of each code point, 1.1 MB, and tables of 4096 states at most; of the tokenizer: words that are
    // remembered, ids
    // of the basic plane. Encoding some kilobytes of text takes the rest.
    public override long MayAllocate(int inputBytes) => (64 << 20) + 2000L * inputBytes;

    public override byte[] Make(Random random) => s_json.Mutate(Seeds[random.Next(Seeds.Count)], Seeds[random.Next(Seeds.Count)], random);

    public override void Use(byte[] input, Random random)
    {
        var tokenizer = BpeTokenizer.Parse("tokenizer.json", input);
        foreach (string text in s_texts)
        {
            int[] ids = tokenizer.Encode(text, addSpecial: random.Next(2) == 0);
            Check(ids.All(tokenizer.Contains), "a text becomes an id that is not in the vocabulary");
            string whole = tokenizer.Decode(ids);
            var streaming = new StreamingDecoder(tokenizer, skipSpecial: false);
            string parts = string.Concat(ids.Select(streaming.Append)) + streaming.Flush();
            Check(whole == parts, "ids become another text one by one than at once");
            tokenizer.Encode(whole);
        }
        int id = random.Next(tokenizer.Size);
        if (tokenizer.Contains(id)) tokenizer.Decode([id, id, id], skipSpecial: true);
    }

    /// <summary>The goldens' tokenizers, of each as many tokens as will do.</summary>
    private static IEnumerable<byte[]> Golden() => Tokenizer.Golden.Styles.Select(style =>
        Reduced(JsonNode.Parse(File.ReadAllBytes(Path.Combine(Tokenizer.Golden.Folder(style), "tokenizer.json")))!.AsObject()));

    private static byte[] Reduced(JsonObject json)
    {
        JsonObject model = json["model"]!.AsObject();
        // Tokens that are named elsewhere stay, and those of single bytes or characters, of whatever id.
        var kept = new HashSet<string>(json["added_tokens"]!.AsArray().Select(token => token!["content"]!.GetValue<string>()),
            StringComparer.Ordinal);
        var vocabulary = new JsonObject();
        foreach ((string token, JsonNode? id) in model["vocab"]!.AsObject())
            if (id!.GetValue<int>() < Small || kept.Contains(token)
                || token.EnumerateRunes().Count() == 1) vocabulary[token] = id.GetValue<int>();
        bool Known(string part) => vocabulary.ContainsKey(part);
        JsonNode[] merges = [.. model["merges"]!.AsArray().Select(merge => merge!.DeepClone()).Where(merge =>
        {
            string[] pair = merge is JsonArray parts ? [.. parts.Select(part => part!.GetValue<string>())]
                : merge.GetValue<string>().Split(' ');
            return pair.Length == 2 && Known(pair[0]) && Known(pair[1]) && Known(pair[0] + pair[1]);
        })];
        (model["vocab"], model["merges"]) = (vocabulary, new JsonArray(merges));
        return JsonSerializer.SerializeToUtf8Bytes(json);
    }

    /// <summary>A tokenizer of characters that fits on a page, so that most damage hits an option.</summary>
    private static IEnumerable<byte[]> Own()
    {
        string tokens = string.Join(", ", "<unk> <s> </s> a b aa ab h e l o \u2581 \u2581a he ll hell hello".Split(' ').Select((token,
            i) => $"\"{token}\": {i}"));
        string model = $$"""
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": false, "vocab": { {{tokens}} },
            "merges": ["a a", ["a", "b"], "\u2581 a", "h e", "l l", "he ll", "hell o"]}
            """;
        string added = """
            "added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true, "lstrip": true},
            {"id": 20, "content": "a b", "single_word": true, "normalized": true, "rstrip": true}]
            """;
        string[] rest =
        [
            """
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "l+"},
            "content": "ll"}]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": true},
            "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
            "special_tokens": {"<s>": {"ids": [1]}}}
            """,
            """
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Punctuation", "behavior": "Contiguous"},
            {"type": "Split", "pattern": {"Regex": "\\s+|[a-h]+(?!l)"}, "behavior": "MergedWithPrevious", "invert": false}]},
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
            """,
        ];
        return rest.Select(parts => Encoding.UTF8.GetBytes($$"""{ "version": "1.0", {{added}}, {{parts}}, {{model}} }"""));
    }
}
