using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded;

/// <summary>What Akka.NET misreads without a word, or never ends reading, is an error here.</summary>
public class HoconRefusalTests
{
    [Theory]
    [InlineData("a = ${?x}")]
    [InlineData("a += 1")]
    [InlineData("a { b = 1 } }")]
    [InlineData("a { b = 1")]
    [InlineData("a = [1, 2")]
    [InlineData("a = \"open")]
    [InlineData("a = \"\"\"open")]
    [InlineData("a =\nb = 1")]
    [InlineData("a = ${b} { c = 1 }\nb { d = 1 }")]
    [InlineData("b { d = 1 }\na = ${b}\na.c = 1")]
    [InlineData("a = ${a}")]
    [InlineData("a = ${b}\nb = ${a}")]
    [InlineData("a = [\"x\" : 1]")]
    [InlineData("include \"other.conf\"")]
    [InlineData("a b = 1")]
    [InlineData("a = 1 b = 2")]
    [InlineData("a = [1] [2]")]
    [InlineData("a..b = 1")]
    [InlineData("a = \"\\q\"")]
    public void It_is_refused(string text)
    {
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(text));
    }

    [Fact]
    public void A_stray_character_in_a_list_is_refused()
    {
        Assert.Throws<FormatException>(() => ConfigurationFactory.ParseString("a = [a@b]"));
    }

    [Fact]
    public void A_comment_may_end_the_text()
    {
        Assert.Equal(1, ConfigurationFactory.ParseString("a = 1 #").GetInt("a"));
    }

    [Fact]
    public void An_error_names_its_place()
    {
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString("a = 1\nb += 2"));
        Assert.StartsWith("line 2, column 3: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_and_size_are_bounded()
    {
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(string.Concat(Enumerable.Repeat("a {", 100_000))));
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString("a = " + new string('[', 100_000)));
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString("a = " + new string('x', 2_000_000)));
        string chain = string.Join('\n', Enumerable.Range(0, 20_000).Select(i => $"a{i} = ${{a{i + 1}}}")) + "\na20000 = 1";
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(chain));
        Assert.Equal(1, ConfigurationFactory.ParseString("a = ${b}, b = ${c}, c = ${d}, d = 1").GetInt("a"));
    }

    [Fact]
    public void What_is_written_reads_back()
    {
        var config = ConfigurationFactory.ParseString("a = { \"b.c\" = \"x \\\"y\\\" \\\\ \\n\", d = [1, { e = 2 }] }, f = null");
        var again = ConfigurationFactory.ParseString(config.ToString());
        Assert.Equal(config.GetString("a.\"b.c\""), again.GetString("a.\"b.c\""));
        Assert.Equal(config.ToString(), again.ToString());
    }
}
