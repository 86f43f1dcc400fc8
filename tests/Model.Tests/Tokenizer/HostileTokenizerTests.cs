using System.Text;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Model.Tokenizer.Patterns;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

/// <summary>Small files that would take an hour or all memory if what they ask for were not bounded.</summary>
public sealed class HostileTokenizerTests
{
    private const string Step = """{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}""";
    private const string Model = """ "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []} """;
    private const string Metaspace = """{"type": "Metaspace", "replacement": "_"}""",
        Fuse = """ "decoder": {"type": "Metaspace", "replacement": "_"} """;

    [Theory]
    [InlineData("(){1000}{1000}{1000}{1000}", 1, "repeats its parts more than 16384 times")]
    [InlineData("{1}", 2700, "more than 32 repeats of each other")]
    [InlineData(@"\p{L}", 1600, "sets of more than 100000 ranges")]
    [InlineData("(?:a{0,30}b?){60}c", 1, "more than 4000000 steps to build")]
    public void A_pattern_that_asks_for_too_much_is_refused(string part, int times, string says)
    {
        string pattern = string.Concat(Enumerable.Repeat(part, times));
        pattern = part.StartsWith('\\') ? $"[{pattern}]" : part.StartsWith('{') ? $"a{pattern}" : pattern;
        string message = Assert.Throws<FormatException>(() => PatternScanner.Of(PatternParser.Parse(pattern))).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(?:aaa)*b")]
    [InlineData("a*b|a")]
    public void A_pattern_that_looks_at_the_whole_text_from_each_place_is_stopped(string pattern)
    {
        var cut = PatternScanner.Of(PatternParser.Parse(pattern));
        string text = new('a', 200_000);
        Assert.Contains("looks at more than 1000 characters", Assert.Throws<ModelException>(() =>
        {
            PatternScanner.Failures failures = default;
            for (int at = 0; at < text.Length;) at = cut.Find(text, at, ref failures) is (>= 0, var end) ? end : text.Length;
        }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_that_each_double_a_text_are_stopped()
    {
        string steps = string.Join(", ", Enumerable.Repeat(Step, 32));
        Assert.Contains("the normalizer of tokenizer.json makes more than 4160 characters", Refused($$"""
            { "normalizer": {"type": "Sequence", "normalizers": [{{steps}}]}, {{Fuse}}, {{Model}},
            "added_tokens": [{"id": 0, "content": "a", "normalized": true}]}
            """), StringComparison.Ordinal);
        Assert.Contains("the decoder of tokenizer.json makes more than 4160 bytes of a token of 1", Refused($$"""
            { "decoder": {"type": "Sequence", "decoders": [{{steps}}]}, {{Model}} }
            """), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pre_tokenizer", "pretokenizers", Metaspace, 5, "pre_tokenizer: more than 4 steps set a sign before each piece")]
    [InlineData("pre_tokenizer", "pretokenizers", """{"type": "Digits"}""", 33, "pre_tokenizer.pretokenizers[32]: more than 32 steps")]
    [InlineData("normalizer", "normalizers", Step, 33, "normalizer.normalizers[32]: more than 32 steps")]
    [InlineData("decoder", "decoders", Step, 65, "decoder: more than 64 steps")]
    public void A_part_of_too_many_steps_is_refused(string part, string list, string step, int times, string says)
    {
        string decoder = part == "decoder" ? "" : $", {Fuse}";
        Assert.Contains(says, Refused($$"""
            { {{Model}}{{decoder}}, "{{part}}": {"type": "Sequence", "{{list}}": [{{string.Join(", ", Enumerable.Repeat(step, times))}}]} }
            """), StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_of_too_many_tokens_is_refused()
    {
        string ids = string.Join(", ", Enumerable.Repeat("0", 1000)),
            used = string.Concat(Enumerable.Repeat("""{"SpecialToken": {"id": "a"}}, """, 1000));
        Assert.Contains("post_processor.single: more than 1024 special tokens", Refused($$"""
            { {{Model}}, {{Fuse}}, "post_processor": {"type": "TemplateProcessing", "single": [{{used}}{"Sequence": {"id": "A"} }],
            "special_tokens": {"a": {"ids": [{{ids}}]} } } }
            """), StringComparison.Ordinal);
    }

    private static string Refused(string json) =>
        Assert.Throws<ModelException>(() => BpeTokenizer.Parse("tokenizer.json", Encoding.UTF8.GetBytes(json))).Message;
}
