using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Troupe.Model.Tokenizer;
using Troupe.Model.Tokenizer.Patterns;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class TextPartsTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("qwen")]
    public void Texts_are_cut_where_the_reference_cuts_them(string pattern)
    {
        const string qwen = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
            + @"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        var scanner = PatternScanner.Of(PatternParser.Parse(pattern == "gpt2" ? PreTokenizerReader.Gpt2Pattern : qwen));
        var cutter = new PreTokenizer([new CuttingStep.Split(scanner, SplitBehavior.Isolated, Invert: false)], ByteLevel: true);
        foreach (JsonElement golden in Golden.Beside("pieces.json").GetProperty("cases").EnumerateArray())
        {
            string[] wanted = golden.Texts(pattern);
            string text = string.Concat(wanted);
            var got = new List<string>();
            cutter.Cut(text, first: true, piece => got.Add(piece.ToString()));
            Assert.Equal(wanted, got);
        }
    }

    [Fact]
    public void Composition_of_mixed_marks_is_that_of_the_reference()
    {
        foreach (JsonElement golden in Golden.Beside("nfc.json").GetProperty("cases").EnumerateArray())
            Assert.Equal(golden[1].GetString(), Nfc.Normalize(golden[0].GetString()!));
    }

    [Fact]
    public void Composition_of_every_code_point_is_that_of_the_reference()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int code = 0; code <= 0x10FFFF; code++)
            if (Rune.IsValid(code)) hash.AppendData(Encoding.UTF8.GetBytes(Nfc.Normalize(new Rune(code).ToString()) + "\n"));
        Assert.Equal(Golden.Beside("nfc.json").Text("every_code_point_sha256"), Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    [Fact]
    public void Composed_text_stays_the_same_object()
    {
        string text = "plain, Größe, Привет, 天气, 안녕";
        Assert.Same(text, Nfc.Normalize(text));
    }

    [Fact]
    public void All_ways_to_merge_agree_with_the_definition()
    {
        Random random = Seed.For(nameof(All_ways_to_merge_agree_with_the_definition));
        for (int round = 0; round < 600; round++)
        {
            (int Left, int Right, int Merged)[] table = RandomMerges(random);
            var merges = new BytePairMerges(table);
            int[] ids = [.. Enumerable.Range(0, random.Next(1, 260)).Select(_ => random.Next(4))];
            int[] wanted = ByDefinition(table, ids), heap = [.. ids], window = [.. ids], windows = [.. ids];
            Assert.Equal(wanted, heap[..merges.MergeHeap(heap)]);
            int[] ends = new int[ids.Length];
            int count = new MergeWindow(new MergeTable(table)).Merge(window, ends);
            Assert.Equal(wanted, window[..count]);
            Assert.Equal(ids.Length, ends[count - 1]);
            // Small windows, so that there are many places where they are joined.
            Assert.Equal(wanted, windows[..merges.MergeLong(windows, random.Next(4, 40))]);
            int[] few = ids[..Math.Min(ids.Length, BytePairMerges.ShortPiece)];
            Assert.Equal(ByDefinition(table, few), few[..merges.MergeShort(few)]);
        }
    }

    [Theory]
    [InlineData(2000, 4)]
    [InlineData(5000, 1)]
    public void A_long_piece_is_merged_as_the_definition_says(int length, int letters)
    {
        Random random = Seed.For(nameof(A_long_piece_is_merged_as_the_definition_says) + letters);
        (int Left, int Right, int Merged)[] table = RandomMerges(random);
        if (letters == 1) table = [(0, 0, 4), (4, 4, 5), (5, 5, 6), (6, 4, 7)];
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(letters))], got = [.. ids];
        Assert.Equal(ByDefinition(table, ids), got[..new BytePairMerges(table).Merge(got)]);
    }

    [Fact]
    public void Tokens_longer_than_any_window_are_still_found()
    {
        // 2^11 letters in one token; and a letter before them that shifts all windows.
        var table = Enumerable.Range(0, 11).Select(i => (i, i, i + 1)).ToArray();
        int[] ids = [50, .. new int[3 << 11]];
        Assert.Equal([50, 11, 11, 11], ids[..new BytePairMerges(table).Merge(ids)]);
    }

    [Fact]
    public void A_table_of_merges_tells_all_pairs_apart()
    {
        Random random = Seed.For(nameof(A_table_of_merges_tells_all_pairs_apart));
        foreach (int size in (ReadOnlySpan<int>)[2, 255, 256, 70_000, 1 << 22])
        {
            var known = new Dictionary<(int, int), int>();
            var table = new List<(int Left, int Right, int Merged)>();
            for (int rank = 0; rank < 3000; rank++)
            {
                // The highest id fills its bits; a later entry of a pair replaces an earlier.
                (int Left, int Right) pair = rank == 0 ? (size - 1, size - 1) : (random.Next(size), random.Next(Math.Min(size, 40)));
                table.Add((pair.Left, pair.Right, rank));
                known[pair] = rank;
            }
            var merges = new MergeTable(table);
            for (int round = 0; round < 2; round++)
            {
                foreach (((int left, int right), int rank) in known) Assert.Equal((uint)rank, merges.Rank(left, right));
                for (int i = 0; i < 3000; i++)
                {
                    (int left, int right) = (random.Next(size), random.Next(size));
                    if (!known.ContainsKey((left, right))) Assert.Equal(MergeTable.NoRank, merges.Rank(left, right));
                }
            }
            Assert.Equal(2999, merges.Merged(2999));
        }
    }

    /// <summary>Merges over four letters, each of two symbols that exist by then; now and then two pairs give one symbol.</summary>
    private static (int, int, int)[] RandomMerges(Random random)
    {
        var pairs = new HashSet<(int, int)>();
        var table = new List<(int, int, int)>();
        for (int made = 4; made < 24; made++)
        {
            (int left, int right) = (random.Next(made), random.Next(made));
            if (pairs.Add((left, right))) table.Add((left, right, random.Next(5) == 0 ? random.Next(made) : made));
        }
        return [.. table];
    }

    private static int[] ByDefinition((int Left, int Right, int Merged)[] table, int[] ids)
    {
        var symbols = ids.ToList();
        while (true)
        {
            (int Rank, int At) best = (int.MaxValue, 0);
            for (int at = 0; at + 1 < symbols.Count; at++)
            {
                (int, int) pair = (symbols[at], symbols[at + 1]);
                int rank = Array.FindIndex(table, merge => (merge.Left, merge.Right) == pair);
                if (rank >= 0 && rank < best.Rank) best = (rank, at);
            }
            if (best.Rank == int.MaxValue) return [.. symbols];
            symbols[best.At] = table[best.Rank].Merged;
            symbols.RemoveAt(best.At + 1);
        }
    }
}
