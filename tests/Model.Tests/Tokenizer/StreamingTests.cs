using System.Text;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class StreamingTests
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pieces_of_random_ids_together_are_the_whole_decoding(bool skipSpecial)
    {
        Random random = Seed.For(nameof(Pieces_of_random_ids_together_are_the_whole_decoding));
        int held = 0;
        for (int round = 0; round < 2000; round++)
        {
            string[] styles = [.. Golden.Styles, "sample"];
            string style = styles[round % styles.Length];
            BpeTokenizer tokenizer = style == "sample" ? Golden.Sample : Golden.Of(style);
            // Most ids are single bytes, so that characters are broken and completed often.
            int[] ids = [.. Enumerable.Range(0, random.Next(40)).Select(_ =>
                random.Next(4) == 0 ? random.Next(tokenizer.Size) : random.Next(3, 259))];
            var stream = new StreamingDecoder(tokenizer, skipSpecial);
            var text = new StringBuilder();
            foreach (int id in ids)
            {
                string piece = stream.Append(id);
                // Throws on half a character.
                Strict.GetByteCount(piece);
                if (piece.Length == 0) held++;
                text.Append(piece);
            }
            text.Append(stream.Flush());
            Assert.Equal(tokenizer.Decode(ids, skipSpecial), text.ToString());
            Assert.Equal("", stream.Flush());
        }
        Assert.True(held > 1000, $"only {held} pieces were held back");
    }

    [Fact]
    public void A_character_in_parts_comes_out_once_and_whole()
    {
        int[] bytes = [.. "😀"u8.ToArray().Select(b => Golden.Sample.IdOf(ByteAlphabet.Spell(b).ToString())!.Value)];
        var stream = new StreamingDecoder(Golden.Sample);
        Assert.Equal(["", "", "", "😀"], bytes.Select(stream.Append));
        stream.Append(bytes[0]);
        stream.Append(bytes[1]);
        Assert.Equal("\uFFFD", stream.Flush());
        Assert.Equal(["", "", "", "😀"], bytes.Select(stream.Append));
    }

    [Theory]
    [InlineData("the end", "end", "the ")]
    [InlineData("the end", "t", "")]
    [InlineData("no stop", "end", "no stop")]
    [InlineData("aab", "ab", "a")]
    [InlineData("abc", "abc|b", "a")]
    [InlineData("xabc", "bc|abc", "x")]
    [InlineData("one\n\ntwo", "\n\n|two", "one")]
    [InlineData("🚀🙂", "🙂", "🚀")]
    [InlineData("any text", "", "any text")]
    public void Text_ends_before_the_stop_text_that_ends_first(string text, string stops, string wanted)
    {
        var watch = new StopStrings(stops.Length == 0 ? [] : stops.Split('|'));
        string got = watch.Append(text) + watch.Flush();
        Assert.Equal(wanted, got);
        Assert.Equal(wanted != text, watch.Stopped);
        Assert.Equal("", watch.Append(watch.Stopped ? "more" : ""));
    }

    [Fact]
    public void However_a_text_is_cut_the_outcome_is_the_same_and_nothing_of_a_stop_text_slips_out()
    {
        Random random = Seed.For(nameof(However_a_text_is_cut_the_outcome_is_the_same_and_nothing_of_a_stop_text_slips_out));
        int stopped = 0;
        for (int round = 0; round < 3000; round++)
        {
            string text = Letters(random, random.Next(30));
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Letters(random, random.Next(1, 6)))];
            (string wanted, bool ends) = ByDefinition(text, stops);
            var watch = new StopStrings(stops);
            var got = new StringBuilder();
            for (int at = 0; at < text.Length;)
            {
                int length = Math.Min(random.Next(1, 5), text.Length - at);
                got.Append(watch.Append(text.Substring(at, length)));
                Assert.StartsWith(got.ToString(), wanted);
                at += length;
            }
            got.Append(watch.Flush());
            Assert.Equal((wanted, ends), (got.ToString(), watch.Stopped));
            if (ends) stopped++;
        }
        Assert.InRange(stopped, 500, 2900);
    }

    [Fact]
    public void Text_that_cannot_become_a_stop_text_is_not_held_back()
    {
        var watch = new StopStrings(["END"]);
        Assert.Equal("go on, ", watch.Append("go on, "));
        Assert.Equal("", watch.Append("EN"));
        Assert.Equal("EN", watch.Append("EN"));
        Assert.Equal("EN-", watch.Append("-"));
    }

    [Fact]
    public void Stop_texts_that_cannot_be_watched_for_are_refused()
    {
        Assert.Contains("1 to 1024 characters, got one with 0", Refusal(""));
        Assert.Contains("got one with 1025", Refusal(new string('a', 1025)));
        Assert.Contains("half a surrogate pair", Refusal("a\uD83D"));
        Assert.Contains("half a surrogate pair", Refusal("\uFFFD\uDE00"));
        Assert.Contains("at most 16 stop texts are allowed, got 17", Refusal([.. Enumerable.Repeat("a", 17)]));
        Assert.False(new StopStrings(["\uFFFD"]).Stopped);
    }

    private static string Refusal(params string[] stops) => Assert.Throws<ModelException>(() => new StopStrings(stops)).Message;

    private static string Letters(Random random, int count) => string.Concat(Enumerable.Range(0, count).Select(_ => "ab-"[random.Next(3)]));

    private static (string, bool) ByDefinition(string text, string[] stops)
    {
        for (int end = 1; end <= text.Length; end++)
            if (stops.Where(text[..end].EndsWith).Select(stop => stop.Length).DefaultIfEmpty().Max() is > 0 and int length)
                return (text[..(end - length)], true);
        return (text, false);
    }
}
