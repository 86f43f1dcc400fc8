using System.Text.Json.Nodes;
using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Usage;

/// <summary>A run that this machine's memory cannot hold: exit code 1 and one line with the arithmetic, before anything starts.</summary>
public sealed class MemoryTests
{
    private static readonly string s_sample = Repository.At("models", "sample");

    [Fact]
    public async Task Random_weights_far_too_large_are_refused()
    {
        using var folder = new TempFolder();
        JsonNode config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(s_sample, "config.json")))!;
        // 100 layers x 512 experts x 3 matrices of 8192 x 4096: 10 TB in bf16.
        (config["num_hidden_layers"], config["hidden_size"]) = (100, 8192);
        (config["num_experts"], config["moe_intermediate_size"]) = (512, 4096);
        string file = folder.Write("config.json", config.ToJsonString());
        string line = (await CliRun.Of("bench", "generate", "--synthetic", file, "--stages", "2")).OneLine(ExitCode.Failed);
        Assert.Matches(@"^troupe: 2 ranks need \d{7,} MiB of memory = \d{7,} for weights \+ \d+ for KV \+ 2 x \d+ for windows, but \d+ "
            + "MiB are available: use fewer --replicas, a smaller model, or more hosts$", line);
    }

    [Fact]
    public async Task More_ranks_than_there_is_memory_for_are_refused()
    {
        string line = (await CliRun.Of("generate", "x", "--model", s_sample, "--replicas", "1024")).OneLine(ExitCode.Failed);
        Assert.StartsWith("troupe: 1024 ranks need ", line, StringComparison.Ordinal);
        Assert.EndsWith("MiB are available: use fewer --replicas, or a smaller troupe.scheduler.prefill-chunk", line,
            StringComparison.Ordinal);
    }
}
