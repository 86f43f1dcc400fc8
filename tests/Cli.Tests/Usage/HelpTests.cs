using System.CommandLine;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Tests.Support;
using Troupe.Cli.Verbs;
using Xunit;

namespace Troupe.Cli.Tests.Usage;

public sealed class HelpTests
{
    private static readonly Shell s_nobody = new() { Out = TextWriter.Null, Error = TextWriter.Null, OpenInput = () => Stream.Null };

    /// <summary>Every verb with its words on the command line, those of two words included.</summary>
    public static TheoryData<string> Verbs() => [.. Names()];

    private static IEnumerable<string> Names() => Tree.Create(s_nobody).Subcommands
        .SelectMany(c => c is Verb ? [c.Name] : c.Subcommands.Select(inner => $"{c.Name} {inner.Name}"));

    [Fact]
    public void The_command_line_has_the_verbs_of_the_design()
    {
        string[] wanted =
        [
            "demo", "test", "up", "node", "submit", "cancel", "status", "members", "watch", "explain", "leave", "down", "generate",
            "eval perplexity", "verify", "tokenize", "devices", "plan", "bench generate", "bench step", "bench all2all",
            "trace",
        ];
        Assert.Equal(wanted.Order(StringComparer.Ordinal), Names().Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_says_what_the_verb_does_with_an_example_and_fits_the_terminal(string verb)
    {
        CliRun run = await CliRun.Of([.. verb.Split(' '), "--help"]);
        Assert.Equal((ExitCode.Done, ""), (run.Code, run.Error));
        Assert.Contains($"Example: ./troupe {verb}", run.Out, StringComparison.Ordinal);
        Assert.Contains("--json", run.Out, StringComparison.Ordinal);
        Assert.Contains("--verbose", run.Out, StringComparison.Ordinal);
        Assert.All(run.Out.Split('\n'), line => Assert.True(line.Length <= 120, line));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_example_of_a_verb_is_a_command_line_that_parses(string verb)
    {
        RootCommand root = Tree.Create(s_nobody);
        Command command = root;
        foreach (string word in verb.Split(' ')) command = command.Subcommands.Single(c => c.Name == word);
        string example = Assert.IsType<Verb>(command).Example;
        ParseResult parsed = root.Parse(example["./troupe ".Length..]);
        Assert.Null(ParseProblem.Of(parsed, root));
        Assert.Same(command, parsed.CommandResult.Command);
    }

    [Theory]
    [InlineData("generate")]
    [InlineData("demo")]
    [InlineData("up")]
    [InlineData("verify")]
    [InlineData("eval perplexity")]
    [InlineData("bench generate")]
    [InlineData("plan")]
    public async Task Options_of_the_model_have_the_same_names_wherever_one_runs(string verb)
    {
        string help = (await CliRun.Of([.. verb.Split(' '), "--help"])).Out;
        foreach (string option in (string[])["--model", "--stages", "--replicas", "--tensor", "--split", "--fabric", "--strategy",
            "--overlap", "--threads", "--weights", "--rows", "--kv", "--math", "--in-process"])
            Assert.Contains(option, help, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_is_one_line()
    {
        CliRun run = await CliRun.Of("--version");
        Assert.Equal(ExitCode.Done, run.Code);
        Assert.Matches(@"^troupe \d+\.\d+\.\d+ \(\.NET 10\.[^)]+\)\s*$", run.Out);
    }
}
