using System.Text.RegularExpressions;
using Xunit;

namespace Troupe.Cli.Tests.Tidy;

/// <summary>The habits of STYLE.md that a machine can keep. Each failure names file and line and says what to do.</summary>
public sealed class TidyTests
{
    // Words in two parts, so that this file passes its own test.
    private static readonly Regex s_later = new(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|NotImplemented" + @"Exception)\b");

    [Fact]
    public void Nothing_is_left_for_later() => Report(
        from file in SourceTree.CSharp("src/", "tests/")
        from line in SourceTree.Lines(file).Index()
        let match = s_later.Match(line.Item)
        where match.Success
        select $"{file}:{line.Index + 1} says {match.Value}: do it now, or take it out and open an issue");

    private static void Report(IEnumerable<string> problems)
    {
        string[] found = [.. problems];
        if (found.Length > 0) Assert.Fail($"{found.Length} to tidy:\n{string.Join('\n', found)}");
    }
}
