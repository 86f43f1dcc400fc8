using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests;

/// <summary>What Akka.NET's dialect of HOCON reads as it is written.</summary>
public class HoconTests
{
    private static Config Parse(string text) => ConfigurationFactory.ParseString(text);

    [Theory]
    [InlineData("a = 1")]
    [InlineData("a : 1")]
    [InlineData("a=1")]
    [InlineData("{ a = 1 }")]
    [InlineData("{ \"a\" : 1 }")]
    [InlineData("a = 1,")]
    [InlineData("b = 2, a = 1")]
    [InlineData("a = 1 # comment : = { ")]
    [InlineData("// comment\na = 1 // another")]
    [InlineData("a = 2\na = 1")]
    [InlineData("a = \"1\"")]
    [InlineData("\r\n  a = 1\r\nb = 2\r\n")]
    [InlineData("a = ${b}\nb = 1")]
    [InlineData("b { c = 1 }\na = ${b.c}")]
    public void A_value_is_one(string text)
    {
        Assert.Equal(1, Parse(text).GetInt("a"));
    }

    [Theory]
    [InlineData("a { b = 1, c = 2 }")]
    [InlineData("a = { b = 1, c = 2 }")]
    [InlineData("a {\n b = 1\n c = 2\n}\n")]
    [InlineData("a.b = 1, a.c = 2")]
    [InlineData("a { b = 1 }\na { c = 2 }")]
    [InlineData("a { b = 5 }\na = { b = 1, c = 2 }")]
    [InlineData("a = 7\na { b = 1, c = 2 }")]
    [InlineData("x { b = 1, c = 2 }\na = ${x}")]
    [InlineData("{ \"a\" : { \"b\" : 1, \"c\" : 2 } }")]
    public void Objects_merge(string text)
    {
        var config = Parse(text);
        Assert.Equal((1, 2), (config.GetInt("a.b"), config.GetConfig("a").GetInt("c")));
    }

    [Theory]
    [InlineData("a = [x, y z, \"w\"]")]
    [InlineData("a = [\n  x\n  y z # comment\n  \"w\"\n]")]
    [InlineData("a = [x, y z, w,]")]
    [InlineData("a = [1]\na = [\"x\", \"y z\", \"w\"]")]
    [InlineData("b = [x, y z, w]\na = ${b}")]
    public void A_list_of_text(string text)
    {
        Assert.Equal(["x", "y z", "w"], Parse(text).GetStringList("a"));
    }

    [Fact]
    public void A_list_may_hold_objects_and_lists()
    {
        var items = Parse("a = [{ b = 1 }, { b = 2 }, [3, 4]]").GetValue("a").GetArray();
        Assert.True(items[1].IsObject());
        Assert.True(items[2].IsArray());
        Assert.Equal(["3", "4"], items[2].GetArray().Select(item => item.GetString()));
        Assert.Empty(Parse("a = []").GetStringList("a"));
    }

    [Theory]
    [InlineData("a = some text", "some text")]
    [InlineData("a =   some   text   ", "some   text")]
    [InlineData("a = \"tab\\t quote\\\" back\\\\ line\\n u\\u0041\"", "tab\t quote\" back\\ line\n uA")]
    [InlineData("a = \"\"\"raw \\n \"quoted\" \"\"\"", "raw \\n \"quoted\"")]
    [InlineData("a = \"  both ends  \"", "both ends")]
    [InlineData("a = \"host:1\" and \"x=2\"", "host:1 and x=2")]
    [InlineData("a = 10 ms", "10 ms")]
    [InlineData("a = /usr/lib", "/usr/lib")]
    [InlineData("b = x\na = ${b}y", "xy")]
    [InlineData("b = x\na = ${b} \"y z\"", "x y z")]
    [InlineData("a = \"\"", "")]
    public void Text_is_read_as_written(string text, string expected)
    {
        Assert.Equal(expected, Parse(text).GetString("a"));
    }

    [Fact]
    public void Quoted_keys_hold_what_they_like()
    {
        var config = Parse("a.\"b.c\" { \"Ns.Type, Asm\" = 1, \"/user/*\" = 2 }");
        Assert.Equal(["Ns.Type, Asm", "/user/*"], config.GetConfig("a.\"b.c\"").AsEnumerable().Select(item => item.Key));
        Assert.Equal(1, config.GetInt("a.\"b.c\".\"Ns.Type, Asm\""));
        Assert.False(Parse("A = 1").HasPath("a"));
    }

    [Theory]
    [InlineData("on", true)]
    [InlineData("true", true)]
    [InlineData("off", false)]
    [InlineData("false", false)]
    public void Booleans(string text, bool expected)
    {
        Assert.Equal(expected, Parse($"a = {text}").GetBoolean("a"));
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("True")]
    [InlineData("1")]
    public void Other_words_are_no_booleans(string text)
    {
        Assert.Throws<NotSupportedException>(() => Parse($"a = {text}").GetBoolean("a"));
    }

    [Theory]
    [InlineData("10", 10)]
    [InlineData("10 ms", 10)]
    [InlineData("10ms", 10)]
    [InlineData("2s", 2_000)]
    [InlineData("1.5 s", 1_500)]
    [InlineData("2 seconds", 2_000)]
    [InlineData("1 m", 60_000)]
    [InlineData("3 minutes", 180_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("2 d", 172_800_000)]
    [InlineData("500 micros", 0.5)]
    public void Durations(string text, double milliseconds)
    {
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Parse($"a = {text}").GetTimeSpan("a"));
    }

    [Fact]
    public void An_infinite_duration()
    {
        Assert.Equal(Timeout.InfiniteTimeSpan, Parse("a = infinite").GetTimeSpan("a"));
    }

    [Theory]
    [InlineData("-5 s")]
    [InlineData("off")]
    [InlineData("5 us")]
    [InlineData("soon")]
    public void Other_words_are_no_durations(string text)
    {
        Assert.ThrowsAny<FormatException>(() => Parse($"a = {text}").GetTimeSpan("a"));
    }

    [Theory]
    [InlineData("128000b", 128_000)]
    [InlineData("128000", 128_000)]
    [InlineData("64 KiB", 65_536)]
    [InlineData("2k", 2_048)]
    [InlineData("3 kB", 3_000)]
    [InlineData("1 MB", 1_000_000)]
    [InlineData("1m", 1_048_576)]
    [InlineData("2 GiB", 2_147_483_648)]
    public void Sizes(string text, long bytes)
    {
        Assert.Equal(bytes, Parse($"a = {text}").GetByteSize("a", null));
    }

    [Fact]
    public void Numbers_are_in_invariant_culture()
    {
        var config = Parse("i = -5, l = 5000000000, d = 1.5e-3");
        Assert.Equal((-5, 5_000_000_000, 0.0015), (config.GetInt("i"), config.GetLong("l"), config.GetDouble("d")));
        Assert.ThrowsAny<FormatException>(() => Parse("a = five").GetInt("a"));
    }

    [Fact]
    public void A_missing_key_reads_as_its_default()
    {
        var config = Parse("a = 1");
        Assert.False(config.HasPath("b.c"));
        Assert.Equal((0, 7), (config.GetInt("b.c"), config.GetInt("b.c", 7)));
        Assert.Equal((false, true), (config.GetBoolean("b"), config.GetBoolean("b", true)));
        Assert.Null(config.GetString("b"));
        Assert.Null(config.GetConfig("b"));
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(3)), (config.GetTimeSpan("b"), config.GetTimeSpan("b", TimeSpan.FromSeconds(3))));
        Assert.Empty(config.GetStringList("b"));
        Assert.Null(Parse("a = null").GetString("a"));
    }

    [Fact]
    public void A_fallback_fills_what_is_missing()
    {
        var fallback = Parse("a = { b = 5, c = 2, list = [y, z] }, s = other, t = more");
        var config = Parse("a { b = 1, list = [x] }\ns = own").WithFallback(fallback);
        Assert.Equal((1, 2, "own", "more"), (config.GetInt("a.b"), config.GetInt("a.c"), config.GetString("s"), config.GetString("t")));
        Assert.Equal(["x"], config.GetStringList("a.list"));
        Assert.True(Config.Empty.IsEmpty);
        Assert.Equal(1, Config.Empty.WithFallback(config).GetInt("a.b"));
        Assert.True(ConfigurationFactory.Empty.IsEmpty);
    }

    [Theory]
    [InlineData("a = b=c")]
    [InlineData("a = b:c")]
    [InlineData("a = ${missing}")]
    [InlineData("a = x /* y */")]
    [InlineData("a = x@y")]
    [InlineData("a { b = 1 }, c = 2")]
    [InlineData("a = x*")]
    [InlineData("a = $x")]
    [InlineData("a = `x`")]
    public void What_Akka_refuses_is_refused(string text)
    {
        Assert.ThrowsAny<Exception>(() => Parse(text).GetString("a"));
    }
}
