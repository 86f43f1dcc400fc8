using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Model.Tokenizer.Patterns;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class PatternTests
{
    [Fact]
    public void Random_patterns_match_what_a_backtracking_engine_matches()
    {
        Random random = Seed.For(nameof(Random_patterns_match_what_a_backtracking_engine_matches));
        int tried = 0, matches = 0;
        for (int round = 0; round < 3000; round++)
        {
            string pattern = Pattern(random, 3);
            PatternScanner scanner;
            try
            {
                scanner = PatternScanner.Of(PatternParser.Parse(pattern));
            }
            catch (FormatException)
            {
                // Can match the empty text.
                continue;
            }
            // Letters of the basic plane only, where .NET sees the same characters.
            var regex = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromMinutes(1));
            string text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => "ab \nB1"[random.Next(6)]));
            PatternScanner.Failures failures = default;
            var got = new List<(int, int)>();
            for (int at = 0; scanner.Find(text, at, ref failures) is (>= 0 and int start, var end); at = end) got.Add((start, end));
            failures.Dispose();
            Assert.Equal((pattern, text, string.Join(' ', regex.Matches(text).Select(m => (m.Index, m.Index + m.Length)))),
                (pattern, text, string.Join(' ', got)));
            tried++;
            matches += got.Count;
        }
        Assert.True(tried > 1000 && matches > 3000, $"{tried} patterns, {matches} matches");
    }

    [Fact]
    public void Letters_beyond_the_basic_plane_are_letters()
    {
        var scanner = PatternScanner.Of(PatternParser.Parse(@"\p{L}+"));
        Assert.Equal(6, scanner.Match("𝔘𠀀𐐷1", 0));
        Assert.Equal(-1, scanner.Match("🙂", 0));
    }

    [Theory]
    [InlineData(@"\s+$")]
    [InlineData(@"a+b")]
    [InlineData(@"\s*[\r\n]+|\s+(?!\S)|\s+")]
    public void A_stretch_that_cannot_match_is_not_walked_again_from_each_of_its_places(string pattern)
    {
        var scanner = PatternScanner.Of(PatternParser.Parse(pattern));
        string text = new string('a', 400_000) + new string(' ', 400_000) + "x";
        PatternScanner.Failures failures = default;
        // Walked again from each place these are 10^11 steps: that nobody would wait for.
        int matches = 0;
        for (int at = 0; scanner.Find(text, at, ref failures) is (>= 0, var end); at = end) matches++;
        failures.Dispose();
        Assert.InRange(matches, 0, 2);
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void A_hostile_word_of_a_million_letters_is_encoded_in_time_close_to_linear(string style)
    {
        BpeTokenizer tokenizer = Golden.Of(style);
        foreach (string text in (string[])[new string('a', 1 << 20), new string(' ', 1 << 20) + "x",
            string.Concat(Enumerable.Repeat("e▁", 1 << 19))])
        {
            // Quadratic, this would take an hour.
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            // That style shows its own sign as a blank.
            Assert.Equal(style == "sentencepiece" ? text.Replace('▁', ' ') : text, tokenizer.Decode(ids));
        }
    }

    [Fact]
    public void Mutated_tokenizers_are_refused_in_one_line_or_work()
    {
        Random random = Seed.For(nameof(Mutated_tokenizers_are_refused_in_one_line_or_work));
        byte[][] files = [.. Golden.Styles.Select(Small)];
        for (int round = 0; round < 1500; round++)
        {
            byte[] bytes = [.. files[random.Next(files.Length)]];
            for (int n = random.Next(1, 4); n > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)"\"{}[],:0129-etrufalsn\\ \u00FF"[random.Next(24)];
            try
            {
                BpeTokenizer tokenizer = BpeTokenizer.Parse("dir/tokenizer.json", bytes);
                tokenizer.Decode(tokenizer.Encode("Some text, 123 and 中文\n"));
            }
            catch (ModelException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    public static TheoryData<string> Styles => [.. Golden.Styles];

    // Few merges and tokens, so that a mutation often hits what is about the parts.
    private static byte[] Small(string style)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Golden.Folder(style), "tokenizer.json")))!;
        JsonNode model = root["model"]!;
        string[] keep = [.. model["vocab"]!.AsObject().OrderBy(token => (int)token.Value!).Take(600).Select(token => token.Key)];
        foreach (string token in model["vocab"]!.AsObject().Select(token =>
            token.Key).Except(keep).ToArray()) model["vocab"]!.AsObject().Remove(token);
        model["merges"] = new JsonArray([.. model["merges"]!.AsArray()
            .Where(pair => keep.Contains($"{pair![0]}{pair[1]}") && keep.Contains((string)pair[0]!) && keep.Contains((string)pair[1]!))
            .Take(50).Select(pair => pair!.DeepClone())]);
        root["added_tokens"] = new JsonArray();
        root["post_processor"] = null;
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static string Pattern(Random random, int depth)
    {
        string atom = random.Next(depth > 0 ? 9 : 6) switch
        {
            0 => "a",
            1 => "b",
            2 => @"\s",
            3 => @"\p{L}",
            4 => "[^a\\n]",
            5 => "[ab1]",
            6 => $"(?:{Pattern(random, depth - 1)})",
            7 => $"(?:{Pattern(random, depth - 1)}|{Pattern(random, depth - 1)})",
            _ => Pattern(random, depth - 1) + Pattern(random, depth - 1),
        };
        string repeat = random.Next(7) switch { 0 => "+", 1 => "*", 2 => "?", 3 => "{1,3}", 4 => "{2}", _ => "" };
        string ahead = random.Next(8) switch { 0 => @"(?!\S)", 1 => "(?=a)", 2 => "(?!b)", _ => "" };
        return (repeat.Length > 0 ? $"(?:{atom}){repeat}" : atom) + ahead;
    }
}
