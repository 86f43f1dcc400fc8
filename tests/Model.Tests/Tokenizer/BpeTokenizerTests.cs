using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class BpeTokenizerTests
{
    public static TheoryData<string> Styles => [.. Golden.Styles];

    [Theory]
    [MemberData(nameof(Styles))]
    public void Every_golden_text_has_the_ids_and_decodings_of_the_reference(string style)
    {
        BpeTokenizer tokenizer = Golden.Of(style);
        int cases = 0;
        foreach (JsonElement golden in Golden.Cases(style))
        {
            TokenizedLine line = TokenizeLines.Tokenize(tokenizer, golden.Text("text"));
            Assert.Equal(golden.Ints("ids"), line.Ids);
            Assert.Equal(golden.Ints("ids_without_special"), line.IdsWithoutSpecial);
            Assert.Equal(golden.Text("decoded"), line.Decoded);
            Assert.Equal(golden.Text("decoded_skip_special"), line.DecodedSkipSpecial);
            cases++;
        }
        Assert.True(cases > 50, $"only {cases} cases");
    }

    [Fact]
    public void The_sample_model_has_the_ids_and_texts_that_it_was_trained_with()
    {
        JsonElement heldout = Golden.Read(Repository.At("models", "sample", "heldout.json"));
        foreach (JsonElement golden in heldout.GetProperty("golden").EnumerateArray())
        {
            Assert.Equal(golden.Ints("ids"), Golden.Sample.Encode(golden.Text("prompt")));
            Assert.Equal(golden.Text("text"), Golden.Sample.Decode(golden.Ints("greedy")));
        }
        int[] tokens = heldout.Ints("heldout_tokens");
        Assert.Equal(tokens, Golden.Sample.Encode(Golden.Sample.Decode(tokens)));
    }

    [Theory]
    [InlineData("sample")]
    [MemberData(nameof(Styles))]
    public void Any_text_comes_back_from_its_ids(string style)
    {
        BpeTokenizer tokenizer = style == "sample" ? Golden.Sample : Golden.Of(style);
        Random random = Seed.For(nameof(Any_text_comes_back_from_its_ids));
        for (int round = 0; round < 500; round++)
        {
            var builder = new StringBuilder();
            for (int n = random.Next(60); n > 0; n--) builder.Append(RandomRune(random));
            string text = builder.ToString();
            // Qwen composes the text first; so a composed one comes back.
            if (style == "qwen") text = Nfc.Normalize(text);
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, addSpecial: false)));
        }
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void A_word_of_sixty_thousand_letters_is_encoded_like_any_other(string style)
    {
        BpeTokenizer tokenizer = Golden.Of(style);
        Random random = Seed.For(nameof(A_word_of_sixty_thousand_letters_is_encoded_like_any_other));
        string word = string.Create(60_000, random, (span, r) =>
        {
            for (int i = 0; i < span.Length; i++) span[i] = "etaoinshrdlu"[r.Next(12)];
        });
        foreach (string text in (string[])[word, new string('a', 60_000), new string(' ', 60_000), new string('\n', 60_000)])
        {
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.InRange(ids.Length, 1, text.Length + 1);
        }
    }

    [Fact]
    public void Half_a_surrogate_pair_counts_as_the_replacement_character()
    {
        Assert.Equal(Golden.Qwen.Encode("a\uFFFDb\uFFFD"), Golden.Qwen.Encode("a\uD800b\uDC00"));
        Assert.Equal(Golden.Sample.Encode("\uFFFDx"), Golden.Sample.Encode("\uD83Dx"));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4096)]
    [InlineData(int.MaxValue)]
    public void An_id_outside_the_vocabulary_is_an_error_that_names_it(int id)
    {
        Assert.False(Golden.Sample.Contains(id));
        foreach (Action act in (Action[])[() => Golden.Sample.Decode([1, id]), () => Golden.Sample.TokenBytes(id),
            () => new StreamingDecoder(Golden.Sample).Append(id)])
            Assert.Contains($"token id {id} is not in the vocabulary of 4096 ids", Assert.Throws<ModelException>(act).Message);
    }

    [Fact]
    public void Special_tokens_are_known_by_id_and_by_content()
    {
        Assert.Equal(3001, Golden.Qwen.IdOf("<|im_start|>"));
        Assert.Null(Golden.Qwen.IdOf("<|nothing|>"));
        Assert.True(Golden.Qwen.IsSpecial(3001));
        Assert.False(Golden.Qwen.IsSpecial(3003));
        Assert.Equal(3005, Golden.Qwen.Size);
        Assert.Equal("<think>"u8.ToArray(), Golden.Qwen.TokenBytes(3003).ToArray());
    }

    [Fact]
    public void Many_threads_get_the_ids_that_one_gets()
    {
        string[] texts = [.. Golden.QwenCases().Select(golden => golden.Text("text"))];
        BpeTokenizer fresh = BpeTokenizer.Load(Repository.At("tests", "goldens", "tokenizers", "qwen"));
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            foreach (string text in texts) Assert.Equal(Golden.Qwen.Encode(text), fresh.Encode(text));
        });
    }

    private static Rune RandomRune(Random random)
    {
        while (true)
        {
            int code = random.Next(((ReadOnlySpan<int>)[0x80, 0x800, 0x10000, 0x110000])[random.Next(4)]);
            if (Rune.IsValid(code)) return new Rune(code);
        }
    }
}
