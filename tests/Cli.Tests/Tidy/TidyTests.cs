using System.Text.RegularExpressions;
using Xunit;

namespace Troupe.Cli.Tests.Tidy;

/// <summary>The habits of STYLE.md that a machine can keep. Each failure names file and line and says what to do.</summary>
public sealed partial class TidyTests
{
    private const int MaxFileLines = 400;
    private const int MaxActorLines = 200;
    private const int MaxMethodLines = 60;
    private const int MaxEmbeddedLines = 4100;
    private const int MaxColumns = 140;
    private const string Embedded = "src/Akka.Embedded/";

    private static readonly string[] s_product = ["src/"];
    private static readonly string[] s_all = ["src/", "tests/"];

    // Words in two parts, so that this file passes its own tests.
    private static readonly Regex s_later = new(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|NotImplemented" + @"Exception)\b");

    private static readonly (Regex Call, string Instead)[] s_banned =
    [
        (new(@"\bThread\.Sleep\b"), "wait for an event with a deadline, or take a TimeProvider"),
        (new(@"\bTask\.Delay\b"), "await the event with WaitAsync and a deadline, or use a timer of a TimeProvider"),
        (new(@"\bDateTime(Offset)?\.(Utc)?Now\b"), "take a TimeProvider"),
        (new(@"\bRandom\.Shared\b"), "take a seeded generator"),
    ];

    private static readonly Dictionary<string, string[]> s_mayReference = new(StringComparer.Ordinal)
    {
        ["Devices"] = [],
        ["Akka.Embedded"] = [],
        ["Model"] = ["Devices"],
        ["Actors"] = ["Model", "Akka.Embedded"],
        ["Cli"] = ["Actors"],
    };

    [Fact]
    public void Files_are_short() => Report(
        from file in SourceTree.CSharp(s_all)
        let lines = SourceTree.Lines(file).Length
        let most = file.StartsWith("src/Actors/", StringComparison.Ordinal) && Actor().IsMatch(CodeMask.Of(SourceTree.Text(file)))
            ? MaxActorLines : MaxFileLines
        where lines > most
        select $"{file}:{lines} {(most == MaxActorLines ? "an actor's file" : "a file")} has at most {most} lines: "
            + (most == MaxActorLines ? "move decisions into its pure state" : "split it by meaning"));

    [Fact]
    public void Lines_are_short() => Report(
        from file in SourceTree.CSharp(s_all)
        from line in SourceTree.Lines(file).Index()
        where line.Item.Length > MaxColumns
        select $"{file}:{line.Index + 1} has {line.Item.Length} columns: break the line before column {MaxColumns}");

    [Fact]
    public void Methods_are_short() => Report(
        from file in SourceTree.CSharp(s_all)
        from method in MemberScan.Methods(SourceTree.Text(file))
        where method.Lines > MaxMethodLines
        select $"{file}:{method.Line} {method.Name} has {method.Lines} lines, at most {MaxMethodLines}: give its parts names");

    [Fact]
    public void Nothing_is_left_for_later() => Report(
        from file in SourceTree.CSharp(s_all)
        from line in SourceTree.Lines(file).Index()
        let match = s_later.Match(line.Item)
        where match.Success
        select $"{file}:{line.Index + 1} says {match.Value}: do it now, or take it out and open an issue");

    [Fact]
    public void Product_code_takes_time_and_chance_from_outside() => Report(
        from file in SourceTree.CSharp(s_product)
        from line in CodeMask.Of(SourceTree.Text(file)).Split('\n').Index()
        from banned in s_banned
        let match = banned.Call.Match(line.Item)
        where match.Success
        select $"{file}:{line.Index + 1} uses {match.Value}: {banned.Instead}");

    [Fact]
    public void Dependencies_point_one_way() => Report(
        from file in SourceTree.Files
        where file.StartsWith("src/", StringComparison.Ordinal) && file.EndsWith(".csproj", StringComparison.Ordinal)
        from line in SourceTree.Lines(file).Index()
        let match = ProjectReference().Match(line.Item)
        where match.Success
        let project = Path.GetFileNameWithoutExtension(file)
        let allowed = s_mayReference.GetValueOrDefault(project, [])
        where !allowed.Contains(match.Groups["name"].Value)
        select $"{file}:{line.Index + 1} references {match.Groups["name"].Value}: {project} may reference "
            + $"{(allowed.Length == 0 ? "nothing of ours" : string.Join(", ", allowed))}; Devices <- Model <- Actors <- Cli");

    [Fact]
    public void Only_the_embedded_provider_knows_which_provider_it_is() => Report(
        from file in SourceTree.CSharp(s_product)
        where !file.StartsWith(Embedded, StringComparison.Ordinal)
        from line in SourceTree.Lines(file).Index()
        where ProviderName().IsMatch(line.Item)
        select $"{file}:{line.Index + 1} knows a provider of Akka.NET: use only what both have, ask the loaded assembly for its name");

    [Fact]
    public void The_embedded_provider_stays_small()
    {
        // Lines that hold code: blank ones, comments and lone braces are free, so that nobody squeezes them out.
        int lines = SourceTree.CSharp(Embedded).Sum(file =>
            CodeMask.Of(SourceTree.Text(file)).Split('\n').Count(line => line.Trim(' ', '\r', '{', '}').Length > 0));
        Assert.True(lines <= MaxEmbeddedLines,
            $"{Embedded} has {lines} lines of code, at most {MaxEmbeddedLines}: take out what src/Actors does not use");
    }

    [Fact]
    public void No_file_names_a_place_on_one_machine() => Report(
        from file in SourceTree.Files
        let text = SourceTree.TextOrNull(file)
        where text is not null
        from line in text.Split('\n').Index()
        let match = MachinePath().Match(line.Item)
        where match.Success
        select $"{file}:{line.Index + 1} names {match.Value}, a place on somebody's machine: use a path from the root of the checkout");

    private static void Report(IEnumerable<string> problems)
    {
        string[] found = [.. problems];
        if (found.Length > 0) Assert.Fail($"{found.Length} to tidy:\n{string.Join('\n', found)}");
    }

    [GeneratedRegex(@"\bclass\s+\w+[^{};]*:[^{};]*\b(ReceiveActor|UntypedActor)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Actor();

    [GeneratedRegex(@"<ProjectReference\s+Include=""[^""]*?(?<name>[\w.]+)\.csproj""", RegexOptions.ExplicitCapture)]
    private static partial Regex ProjectReference();

    [GeneratedRegex(@"Akka\.Embedded|^\s*#(el)?if\b.*(AKKA|EMBEDDED|NUGET|PROVIDER)",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase)]
    private static partial Regex ProviderName();

    [GeneratedRegex(@"(?<![\w.~-])/(work|root|tmp/wt)/[\w.]*", RegexOptions.ExplicitCapture)]
    private static partial Regex MachinePath();
}
