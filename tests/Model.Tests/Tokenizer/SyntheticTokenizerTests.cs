using System.Text;
using Troupe.Model.Tokenizer;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

/// <summary>Vocabularies with many more merges than those of the goldens, of which the benchmarks use larger ones still.</summary>
public sealed class SyntheticTokenizerTests
{
    private const int Tokens = 12_000;

    public static TheoryData<string> Styles => [.. SyntheticTokenizer.Styles.Keys];

    [Theory]
    [MemberData(nameof(Styles))]
    public void Long_and_short_pieces_are_merged_as_by_the_heap(string style)
    {
        TokenizerParts parts = TokenizerFile.Read("synthetic", SyntheticTokenizer.Make(style, Tokens, seed: 1));
        var merges = new BytePairMerges(parts.Model.Merges);
        Random random = Seed.For($"{nameof(Long_and_short_pieces_are_merged_as_by_the_heap)} {style}");
        var words = new SyntheticWords(random.Next());
        foreach (string text in (string[])[words.Text(30_000), words.Draw(9_000, "a", "e", "s", "t", "n", "i", "o", "r"),
            new string('e', 9_000),
            words.Draw(5_000, "7", "1"), new string('▁', 3_000), words.Draw(3_000, "中", "文", "б", "🙂")])
        {
            int[] symbols = new int[parts.Symbols.Most(text.Length)];
            int count = parts.Symbols.Read(text, symbols);
            for (int from = 0; from < count;)
            {
                int[] heap = symbols[from..Math.Min(count, from + random.Next(1, 6_000))], got = [.. heap];
                from += heap.Length;
                Assert.Equal(heap[..merges.MergeHeap(heap)], got[..merges.Merge(got)]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Any_text_comes_back(string style)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Parse("synthetic", SyntheticTokenizer.Make(style, Tokens, seed: 2));
        Assert.InRange(tokenizer.Size, Tokens, Tokens + 20);
        string text = new SyntheticWords(3).Text(200_000);
        if (style == "qwen") text = Nfc.Normalize(text);
        int[] ids = tokenizer.Encode(text, addSpecial: false);
        Assert.Equal(text, tokenizer.Decode(ids));
        // Words are learned: a token is more than a character.
        Assert.InRange(ids.Length, 1000, Encoding.UTF8.GetByteCount(text) / 2);
    }

    [Fact]
    public void A_seed_makes_the_same_file_again() =>
        Assert.Equal(SyntheticTokenizer.Make("qwen", 2_000, seed: 5), SyntheticTokenizer.Make("qwen", 2_000, seed: 5));
}
