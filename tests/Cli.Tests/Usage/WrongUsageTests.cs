using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Usage;

/// <summary>A wrong command line: exit code 2, and one line that says what to do.</summary>
public sealed class WrongUsageTests
{
    private static readonly string s_sample = Repository.At("models", "sample");

    [Theory]
    [InlineData("did you mean generate?", "generat", "x")]
    [InlineData("unknown verb 'frobnicate'", "frobnicate")]
    [InlineData("did you mean --tensor?", "generate", "--tenso", "2", "x")]
    [InlineData("unknown option '--tenso'", "generate", "x", "--tenso")]
    [InlineData("unknown argument 'y'", "generate", "x", "y")]
    [InlineData("--stages wants a value", "generate", "x", "--stages")]
    [InlineData("--stages must be a whole number in [1, 1024], got '0'", "generate", "x", "--stages", "0")]
    [InlineData("got 'two'", "generate", "x", "--stages", "two")]
    [InlineData("--stages may be given once", "generate", "x", "--stages", "1", "--stages", "2")]
    [InlineData("--max-tokens must be a whole number of at least 1, got '0'", "generate", "x", "--max-tokens", "0")]
    [InlineData("got '-5'", "generate", "x", "--max-tokens", "-5")]
    [InlineData("got '99999999999'", "generate", "x", "--max-tokens", "99999999999")]
    [InlineData("--temperature must be 0 (greedy) or in [0.0001, 100], got '-1'", "generate", "x", "--temperature", "-1")]
    [InlineData("got 'NaN'", "generate", "x", "--temperature", "NaN")]
    [InlineData("--top-k must be a whole number of at least 0", "generate", "x", "--top-k", "-1")]
    [InlineData("--top-p must be in (0, 1], got '1.5'", "generate", "x", "--top-p", "1.5")]
    [InlineData("--top-p must be in (0, 1], got '0'", "generate", "x", "--top-p", "0")]
    [InlineData("--min-p must be in [0, 1], got '2'", "generate", "x", "--min-p", "2")]
    [InlineData("--repetition-penalty must be in [0.01, 100]", "generate", "x", "--repetition-penalty", "0")]
    [InlineData("--seed must be a whole number in [0, 2^64)", "generate", "x", "--seed", "-1")]
    [InlineData("--stop must not be empty", "generate", "x", "--stop", "")]
    [InlineData("--weights must be one of as-stored, bf16, int8, int4, got 'int2'", "generate", "x", "--weights", "int2")]
    [InlineData("--rows must be one of fp32, bf16, int8, fp8, got 'fp12'", "generate", "x", "--rows", "fp12")]
    [InlineData("--math must be one of exact, fast", "generate", "x", "--math", "sloppy")]
    [InlineData("--in-process and fabric shm contradict each other", "generate", "x", "--in-process", "--fabric", "shm")]
    [InlineData("--in-process and fabric tcp contradict each other", "verify", "--in-process", "--fabric", "tcp")]
    [InlineData("known are auto, inprocess, shm, tcp, mixed", "generate", "x", "--fabric", "pigeon")]
    [InlineData("the prompt is empty", "generate", "")]
    [InlineData("prompt 2 is empty", "submit", "x", "")]
    [InlineData("no prompt", "submit")]
    [InlineData("--at must be HOST:PORT, such as 127.0.0.1:4100, got 'nowhere'", "status", "--at", "nowhere")]
    [InlineData("got 'host:0'", "submit", "x", "--at", "host:0")]
    [InlineData("ID is missing", "cancel")]
    [InlineData("NODE is missing", "leave")]
    [InlineData("--step must be a whole number of at least 0", "explain", "--step", "-1")]
    [InlineData("eval what is wanted: one of perplexity", "eval")]
    [InlineData("bench what is wanted: one of generate, step, all2all", "bench")]
    [InlineData("--tolerance must be a number of at least 0", "verify", "--tolerance", "-1")]
    [InlineData("--port must be a whole number in [0, 65535]", "up", "--port", "70000")]
    [InlineData("up and --in-process contradict each other", "up", "--in-process")]
    [InlineData("must be at least 2, got 1", "eval", "perplexity", "--window", "1")]
    [InlineData("--out FILE.json is missing", "trace")]
    [InlineData("--out must not be empty", "trace", "--out", "")]
    [InlineData("--steps must be a whole number in [1, 16384], got '0'", "trace", "--out", "t.json", "--steps", "0")]
    [InlineData("got '16385'", "trace", "--out", "t.json", "--steps", "16385")]
    [InlineData("got 'nowhere'", "trace", "--out", "t.json", "--at", "nowhere")]
    [InlineData("--sequences must be a whole number in [1, 4096], got '0'", "bench", "step", "--sequences", "0")]
    [InlineData("./troupe test", "test")]
    public async Task A_wrong_command_line_ends_with_exit_code_2_and_one_line(string says, params string[] args)
    {
        string line = (await CliRun.Of(args)).OneLine(ExitCode.WrongUsage);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--stages 7: the model has 6 layers and each stage needs at least one; use --stages 1 to 6", "--stages", "7")]
    [InlineData("--split 4,3: 4 + 3 = 7 layers, but the model has 6", "--stages", "2", "--split", "4,3")]
    [InlineData("--split 2,2,2 names 3 stages, but --stages is 2; give 2 numbers that add up to 6", "--stages", "2", "--split", "2,2,2")]
    [InlineData("--split 6 names 1 stage, but --stages is 2", "--stages", "2", "--split", "6")]
    [InlineData("--split gives stage 1 no layer, and each stage needs at least one, got '6,0'", "--stages", "2", "--split", "6,0")]
    [InlineData("--split must be numbers with commas between them, as 10,14, got '3;3'", "--stages", "2", "--split", "3;3")]
    [InlineData("--tensor 3: the model's 8 query heads do not divide over 3 tensor ranks (8 mod 3 = 2); use 1, 2, 4 or 8", "--tensor", "3")]
    [InlineData("40 stages x 40 replicas x 1 tensor ranks = 1600 ranks, more than the 1024 a world may have", "--stages", "40",
        "--replicas", "40")]
    public async Task A_layout_that_cannot_work_is_refused_with_the_arithmetic(string says, params string[] layout)
    {
        string line = (await CliRun.Of(["generate", "x", "--model", s_sample, .. layout])).OneLine(ExitCode.WrongUsage);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prompts_that_do_not_fit_the_context_are_counted_before_a_benchmark_starts()
    {
        string line = (await CliRun.Of("bench", "generate", "--model", s_sample, "--prompt-tokens", "2000", "--max-tokens", "100"))
            .OneLine(ExitCode.WrongUsage);
        Assert.Contains("--prompt-tokens 2000 + --max-tokens 100 = 2100, but the model's context holds 2048", line,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_verb_the_help_comes_on_stderr()
    {
        CliRun run = await CliRun.Of();
        Assert.Equal((ExitCode.WrongUsage, ""), (run.Code, run.Out));
        Assert.Contains("demo", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_two_dashes_a_prompt_may_look_like_an_option()
    {
        CliRun run = await CliRun.Of("generate", "--model", s_sample, "--max-tokens", "1", "--json", "--", "--tenso");
        Assert.Equal("--tenso", run.Json().GetProperty("prompt").GetString());
    }
}
