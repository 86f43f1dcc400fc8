using System.Text;
using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Input;

/// <summary>Bad input of every kind: one line, exit code 1, no stack trace.</summary>
public sealed class BadInputTests
{
    private static readonly string s_sample = Repository.At("models", "sample");

    [Fact]
    public async Task A_model_folder_that_is_missing_or_without_config_is_named()
    {
        using var folder = new TempFolder();
        string missing = Path.Combine(folder.Path, "nowhere");
        Assert.Contains($"no model folder {missing}", (await CliRun.Of("generate", "x", "--model", missing)).OneLine(ExitCode.Failed),
            StringComparison.Ordinal);
        Assert.Contains($"{folder.Path} has no config.json",
            (await CliRun.Of("generate", "x", "--model", folder.Path)).OneLine(ExitCode.Failed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_architecture_that_nobody_knows_lists_the_known()
    {
        using var folder = new TempFolder();
        folder.Write("config.json",
            File.ReadAllText(Path.Combine(s_sample, "config.json"))
            .Replace("Qwen3MoeForCausalLM", "FooForCausalLM", StringComparison.Ordinal));
        string line = (await CliRun.Of("generate", "x", "--model", folder.Path)).OneLine(ExitCode.Failed);
        Assert.Contains("FooForCausalLM", line, StringComparison.Ordinal);
        Assert.Contains("Qwen3MoeForCausalLM", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Weights_that_were_cut_off_are_named()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", File.ReadAllBytes(Path.Combine(s_sample, "config.json")));
        string file = folder.Write("model.safetensors", File.ReadAllBytes(Path.Combine(s_sample, "model.safetensors"))[..100_000]);
        Assert.Contains(file, (await CliRun.Of("generate", "x", "--model", folder.Path)).OneLine(ExitCode.Failed),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tokenizer_that_is_missing_or_of_an_unknown_kind_is_named()
    {
        using var folder = new TempFolder();
        Assert.Contains("tokenizer.json", (await CliRun.With("\"a\"", "tokenize", "--model", folder.Path)).OneLine(ExitCode.Failed),
            StringComparison.Ordinal);
        folder.Write("tokenizer.json", """{"model": {"type": "Unigram", "vocab": []}}""");
        Assert.Contains("Unigram", (await CliRun.With("\"a\"", "tokenize", "--model", folder.Path)).OneLine(ExitCode.Failed),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_says_both_lengths()
    {
        string line = (await CliRun.With(string.Concat(Enumerable.Repeat("to be ", 2000)), "generate", "--model", s_sample))
            .OneLine(ExitCode.Failed);
        Assert.StartsWith("troupe: stdin: the prompt has ", line, StringComparison.Ordinal);
        Assert.Contains("the model's context holds 2048", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_word_of_60000_letters_is_refused_as_too_long_and_quickly()
    {
        string line = (await CliRun.With(new string('a', 60_000), "generate", "--model", s_sample)).OneLine(ExitCode.Failed);
        Assert.Contains("tokens, the model's context holds 2048", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stdin_that_is_not_utf8_is_refused_before_anything_starts()
    {
        var input = new MemoryStream([.. "text "u8, 0xFF]);
        Assert.Equal("troupe: stdin line 1: not valid UTF-8",
            (await CliRun.With(input, ["generate", "--model", s_sample])).OneLine(ExitCode.Failed).TrimEnd());
    }

    [Fact]
    public async Task No_cluster_at_the_address_is_said_in_one_line()
    {
        int port = FreePort();
        foreach (string[] verb in (string[][])[["status"], ["submit", "x"], ["cancel", "r-1"], ["watch"]])
            Assert.Contains("no cluster answered", (await CliRun.Of([.. verb, "--at", $"127.0.0.1:{port}"])).OneLine(ExitCode.Failed),
                StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_in_one_line()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        int port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        string line = (await CliRun.Of("up", "--model", s_sample, "--port", $"{port}")).OneLine(ExitCode.Failed);
        Assert.Contains($"{port}", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("troupe { layout { stages = 2 } ", "the file ends before")]
    [InlineData("troupe.layuot.stages = 2", "troupe.layout.stages")]
    [InlineData("troupe.layout.stages = two", "troupe.layout.stages wants a whole number from 1 to 1024, got two")]
    public async Task A_configuration_that_does_not_hold_names_file_key_and_value(string hocon, string says)
    {
        using var folder = new TempFolder();
        string file = folder.Write("bad.conf", hocon);
        foreach (string[] verb in (string[][])[["up", "-c", file], ["node", "-c", file]])
        {
            string line = (await CliRun.Of(verb)).OneLine(ExitCode.Failed);
            Assert.Contains(file, line, StringComparison.Ordinal);
            Assert.Contains(says, line, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("stages = 7", "--stages 7: the model has 6 layers and each stage needs at least one; use --stages 1 to 6")]
    [InlineData("tensor = 3", "--tensor 3: the model's 8 query heads do not divide over 3 tensor ranks (8 mod 3 = 2); use 1, 2, 4 or 8")]
    [InlineData("{ stages = 2, split = \"4,3\" }", "--split 4,3: 4 + 3 = 7 layers, but the model has 6")]
    [InlineData("{ stages = 3, split = \"4,2\" }", "--split 4,2 names 2 stages, but --stages is 3; give 3 numbers that add up to 6")]
    public async Task A_layout_in_a_file_that_cannot_work_is_refused_with_the_arithmetic_by_every_node(string layout, string says)
    {
        using var folder = new TempFolder();
        string key = layout.StartsWith('{') ? "troupe.layout " : "troupe.layout.";
        string settings = $"troupe.model = \"{s_sample}\"\n{key}{layout}\n";
        Assert.Equal($"troupe: {says}", (await CliRun.Of("up", "-c", folder.Write("up.conf", settings))).OneLine(ExitCode.WrongUsage));
        foreach (string role in (string[])["control", "rank"])
        {
            string file = folder.Write($"{role}.conf", settings + $"akka.cluster.roles = [{role}]\n"
                + "akka.cluster.seed-nodes = [\"akka.tcp://troupe@127.0.0.1:1\"]\n");
            Assert.Equal($"troupe: {says}", (await CliRun.Of("node", "-c", file)).OneLine(ExitCode.Failed));
        }
    }

    [Theory]
    [InlineData("block-size = 24", "troupe.scheduler.block-size must be a multiple of 16, got 24; use 32")]
    [InlineData("max-running = 1", "troupe.scheduler.max-running is 1, but 2 stages keep as many micro-batches in flight; set it to 2 or "
        + "more")]
    public async Task Sizes_of_a_scheduler_that_cannot_work_are_refused_before_anything_starts(string setting, string says)
    {
        using var folder = new TempFolder();
        string file = folder.Write("up.conf", $"troupe {{ model = \"{s_sample}\"\n layout.stages = 2\n scheduler.{setting} }}");
        Assert.Equal($"troupe: {says}", (await CliRun.Of("up", "-c", file)).OneLine(ExitCode.Failed));
    }

    [Fact]
    public async Task A_golden_that_is_missing_or_none_is_named()
    {
        using var folder = new TempFolder();
        string missing = Path.Combine(folder.Path, "g.json"), other = folder.Write("other.json", "{\"cases\": [{\"prompt\": [1]}]}");
        Assert.Contains($"{missing}: no such file",
            (await CliRun.Of("verify", "--model", s_sample, "--golden", missing)).OneLine(ExitCode.Failed), StringComparison.Ordinal);
        Assert.Contains($"{other}: not a golden file",
            (await CliRun.Of("verify", "--model", s_sample, "--golden", other)).OneLine(ExitCode.Failed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_strategy_falls_back_with_one_warning()
    {
        CliRun run = await CliRun.Of("generate", "ROMEO.", "--model", s_sample, "--max-tokens", "1", "--json", "--strategy", "teleport");
        run.Json();
        string warning = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("strategy 'teleport' was asked for, allgather_reducescatter is used", warning, StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
