using Troupe.Actors.Configuration;
using Xunit;

namespace Troupe.Actors.Tests.Configuration;

/// <summary>One text per construct that Akka.NET's parser misreads, hangs on, or fails on without naming a line.</summary>
public sealed class HoconCheckTests
{
    public static TheoryData<string, int, string> Refused => new()
    {
        // Silently wrong.
        { "a = ${?x}", 1, "${?..}" },
        { "a = 1\na += 2", 2, "+=" },
        { "a { b = 1 }\n}\nc = 2", 2, "closes nothing" },
        { "{ a = 1 }\n}", 2, "after the closing brace" },
        { "{ a = 1 } b = 2", 1, "after the closing brace" },
        { "a {\n  b = 1\n", 3, "{ of line 1" },
        { "a {\n  b {\n    c = 1\n}\n", 5, "{ of line 1" },
        { "{ a = 1", 1, "{ of line 1" },
        { "a = [1, 2\nb = 3", 2, "inside an array" },
        { "a = [1,\n2", 2, "[ of line 1" },
        { "b {\n a = [1\n}", 3, "inside the [ of line 2" },
        { "a = \"x\nb = 1", 1, "ends inside a quoted text" },
        { "a = \"x", 1, "ends inside a quoted text" },
        { "a = 1\nb = \"\"\"x\ny", 3, "\"\"\" of line 2" },
        { "a = \"\"\"x\"\"\"\"", 1, "more than three quotes" },
        { "a =\nb = 1", 1, "a has no value" },
        { "a = # nothing\nb = 1", 1, "a has no value" },
        { "a = , b = 1", 1, "a has no value" },
        { "x { a = }", 1, "x" },
        { "a = ${b} { c = 1 }\nb { d = 1 }", 1, "would lose one" },
        { "a = x [1]", 1, "would lose one" },
        { "a = x { b = 1 }", 1, "would lose one" },
        { "a = [1] [2]", 1, "after a value" },
        { "a = { b = 1 } { c = 2 }", 1, "after a value" },
        { "b { d = 1 }\na = ${b}\na.c = 1", 3, "next to a reference" },
        { "b { d = 1 }\na { c = 1 }\na = ${b}", 3, "next to a reference" },
        { "a = 1\na = ${b}\nb = 2", 2, "next to a reference" },
        { "a { b = 1 }\na = [1]", 2, "keep one" },
        { "a { b = 1 }\na = 1", 2, "keep one" },
        { "a = 1\na.b = 2", 2, "keep one" },
        { "a = [1\n, 2]", 2, "without an element" },
        { "a = [1,, 2]", 1, "without an element" },
        { "a = [x y]", 1, "would become one" },
        { "a = [\"x\" \"y\"]", 1, "would become one" },
        { "a b = 1", 1, "quotes around the key" },
        { "\"a\" \"b\" = 1", 1, "quotes around the key" },
        { "a = 1\u00A0b = 2", 1, "U+00A0" },
        { "a = 1\rb = 2", 1, "U+000D" },
        { "a = 1 /* one */", 1, "/* */" },
        { "/* one */ a = 1", 1, "/* */" },
        { "a = b//c", 1, "a comment right after" },
        { "a = b#c", 1, "a comment right after" },
        // Loops for ever, or overflows the stack.
        { "a = [b@c]", 1, "'@'" },
        { "a = [\"x\" : 1]", 1, "loops for ever" },
        { "a = [x = 1]", 1, "loops for ever" },
        { "a = ${a}", 1, "leads back to itself" },
        { "a = ${b}\nb = ${a}", 1, "leads back to itself" },
        { "a { b = ${a} }", 1, "leads back to itself" },
        { "a = [{ b = ${a} }]", 1, "leads back to itself" },
        { "a = ${b.c}\nb { c = ${d} }\nd = [${a}]", 1, "leads back to itself" },
        // Fails, but without a word about where.
        { "a = 1\nurl = http://x", 2, "':'" },
        { "a = b=c", 1, "'='" },
        { "a = ${x}", 1, "names no key" },
        { "a = ${x y}", 1, "a reference is" },
        { "a = ${\"x\"}", 1, "a reference is" },
        { "a = $5", 1, "'$'" },
        { "include \"other.conf\"", 1, "include" },
        { "a = user@host", 1, "'@'" },
        { "a = x*", 1, "'*'" },
        { "a = C:\\dir", 1, "':'" },
        { "a = \"C:\\dir\"", 1, "backslash" },
        { "a = \"\\u12\"", 1, "hexadecimal" },
        { "a { b = 1 }, c = 2", 1, "no comma after an object" },
        { "a = 1\n, b = 2", 2, "a comma without a setting" },
        { "a", 1, "neither = nor {" },
        { "a.", 1, "where a key was wanted" },
        { "a..b = 1", 1, "where a key was wanted" },
        { "= 1", 1, "where a key was wanted" },
        { "a = 1 ]", 1, "after a value" },
        { "\"\"\"a\"\"\" = 1", 1, "one quote" },
        { "\"a\\\"b\" = 1", 1, "no quotes" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void What_Akka_misreads_is_refused_with_its_line(string text, int line, string says)
    {
        var refusal = Assert.Throws<ConfigException>(() => HoconCheck.Check("x.conf", text));
        Assert.StartsWith($"x.conf:{line}: ", refusal.Message);
        Assert.Contains(says, refusal.Message);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Theory]
    [InlineData("", "a")]
    [InlineData("a = 1", "a", "1")]
    [InlineData("a : 1", "a", "1")]
    [InlineData("\uFEFFa = 1\r\nb = 2\r\n", "a", "1")]
    [InlineData("{ \"a\" : { \"b\" : 1 }, \"c\" : 2 }", "c", "2")]
    [InlineData("a.b.c = 1", "a.b.c", "1")]
    [InlineData("a { b = 1 }\na { c = 2 }", "a.b", "1")]
    [InlineData("a = { b = 1 }\na.c = 2", "a.c", "2")]
    [InlineData("a = 1\na = 2", "a", "2")]
    [InlineData("a = x y # rest", "a", "x y")]
    [InlineData("a = \"x:y=z\" // rest", "a", "x:y=z")]
    [InlineData("a = \"\"\"x\ny\"\"\"", "a", "x\ny")]
    [InlineData("a = \"\\\"\\u0041\\n\\\\\"", "a", "\"A\n\\")]
    [InlineData("b = 80\na = \"host:\"${b}", "a", "host:80")]
    [InlineData("a = ${b.c}\nb { c = 5s }", "a", "5s")]
    [InlineData("\"a.b\" = 1", "\"a.b\"", "1")]
    [InlineData("a = models/sample", "a", "models/sample")]
    [InlineData("a = 1\n#", "a", "1")]
    [InlineData("a = 1 # end", "a", "1")]
    [InlineData("/user/x.dispatcher = y", "/user/x.dispatcher", "y")]
    public void What_passes_is_read_as_written(string text, string path, string? value = null) =>
        Assert.Equal(value, HoconText.Parse("x.conf", text).ToConfig().GetString(path));

    [Theory]
    [InlineData("a = []", new string[0])]
    [InlineData("a = [1, two, \"3:4\"]", new[] { "1", "two", "3:4" })]
    [InlineData("a = [\n  1 # one\n  2,\n  3,\n]", new[] { "1", "2", "3" })]
    [InlineData("a = [x ,y]  // rest", new[] { "x", "y" })]
    [InlineData("b = z\na = [${b}, y]", new[] { "z", "y" })]
    public void Arrays_that_pass_are_read_as_written(string text, string[] values) =>
        Assert.Equal(values, HoconText.Parse("x.conf", text).ToConfig().GetStringList("a"));

    [Fact]
    public void Keys_are_listed_with_their_lines()
    {
        HoconText text = HoconText.Parse("x.conf", "# one\na {\n  b.\"c.d\" = 1\n  e = [ { f = 1 } ]\n}\na.b.g = ${a.e}\n");
        Assert.Equal(
            [("a", 2), ("a.b.\"c.d\"", 3), ("a.e", 4), ("a.b.g", 6)],
            text.Keys.Select(k => (k.Path, k.Line)));
        Assert.Equal(3, text.LineOf("a.b.\"c.d\""));
        Assert.Equal(0, text.LineOf("a.x"));
    }

    [Fact]
    public void Depth_and_size_are_bounded()
    {
        string deep = string.Concat(Enumerable.Repeat("a {\n", 100));
        Assert.Contains("inside each other", Assert.Throws<ConfigException>(() => HoconCheck.Check("x.conf", deep)).Message);
        string arrays = "a = " + new string('[', 100_000);
        Assert.Contains("inside each other", Assert.Throws<ConfigException>(() => HoconCheck.Check("x.conf", arrays)).Message);
        string large = new('#', HoconCheck.MaxCharacters + 1);
        Assert.Contains("at most", Assert.Throws<ConfigException>(() => HoconCheck.Check("x.conf", large)).Message);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_named()
    {
        string missing = Path.Combine(Path.GetTempPath(), $"troupe-{Guid.NewGuid():n}.conf");
        Assert.Equal($"{missing}: cannot be read: no such file", Assert.Throws<ConfigException>(() => HoconText.Load(missing)).Message);
        File.WriteAllBytes(missing, [0x61, 0x3D, 0xFF, 0xFE]);
        try
        {
            Assert.Equal($"{missing}: this is no UTF-8 text", Assert.Throws<ConfigException>(() => HoconText.Load(missing)).Message);
        }
        finally
        {
            File.Delete(missing);
        }
    }
}
