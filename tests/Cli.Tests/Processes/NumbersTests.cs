using System.Text.Json;
using Troupe.Cli.Output;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>The reference's numbers, through the command line, in every layout and over every fabric.</summary>
[Collection("processes")]
public sealed class NumbersTests
{
    private const double PerplexityTolerance = 0.002, LoadTolerance = 0.005;

    [Theory]
    [InlineData("exact", "--stages 1")]
    [InlineData("fast", "--stages 1 --threads 2")]
    [InlineData("exact", "--replicas 2 --fabric inprocess")]
    [InlineData("fast", "--replicas 4 --fabric inprocess")]
    [InlineData("exact", "--stages 2 --fabric shm")]
    [InlineData("exact", "--stages 3 --fabric inprocess")]
    [InlineData("exact", "--stages 2 --replicas 2 --fabric shm")]
    [InlineData("fast", "--stages 2 --replicas 2 --fabric tcp")]
    [InlineData("exact", "--replicas 2 --fabric tcp --overlap on")]
    [InlineData("exact", "--tensor 2 --fabric inprocess")]
    [InlineData("fast", "--stages 2 --tensor 2 --fabric shm")]
    public async Task Perplexity_and_expert_load_equal_the_references(string math, string layout)
    {
        JsonElement got = await Json(["eval", "perplexity", "--model", ProcessWorld.SampleModel, "--math", math, "--json",
            .. layout.Split(' ')]);
        using JsonDocument heldout =
            JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(ProcessWorld.SampleModel, "heldout.json")));
        JsonElement want = heldout.RootElement;

        Assert.Equal(want.GetProperty("scored_tokens").GetInt32(), got.GetProperty("scored_tokens").GetInt32());
        double reference = want.GetProperty("perplexity").GetDouble();
        Assert.InRange(got.GetProperty("perplexity").GetDouble(), reference * (1 - PerplexityTolerance), reference
            * (1 + PerplexityTolerance));
        double[] load = Flat(got.GetProperty("expert_load")), expected = Flat(want.GetProperty("expert_load"));
        Assert.Equal(expected.Length, load.Length);
        Assert.All(expected.Zip(load), pair => Assert.InRange(pair.Second, pair.First - LoadTolerance, pair.First + LoadTolerance));
    }

    [Theory]
    [InlineData("bf16", 0.01)]
    [InlineData("int8", 0.01)]
    [InlineData("fp8", 0.03)]
    public async Task Narrow_rows_cost_little_perplexity(string rows, double share)
    {
        string[] eval = ["eval", "perplexity", "--model", ProcessWorld.SampleModel, "--windows", "6", "--replicas", "2", "--in-process",
            "--json"];
        double wide = (await Json(eval)).GetProperty("perplexity").GetDouble();
        double narrow = (await Json([.. eval, "--rows", rows])).GetProperty("perplexity").GetDouble();
        Assert.InRange(narrow, wide * (1 - share), wide * (1 + share));
        Assert.NotEqual(wide, narrow); // else the rows travelled as fp32
    }

    /// <summary>Each pair of the three ways to split, and three stages, over both fabrics of processes; mixed has an odd number of
    /// key-value heads, and dense layers.</summary>
    public static IEnumerable<object[]> FourRanks =>
        from model in (string[])["qwen3-moe", "qwen3-moe-mixed"]
        from layout in (string[])["--stages 2 --tensor 2", "--stages 2 --replicas 2", "--replicas 2 --tensor 2", "--stages 3"]
        from fabric in (string[])["shm", "tcp"]
        select (object[])[model, $"{layout} --fabric {fabric}"];

    [Theory]
    [InlineData("qwen3-moe", "--replicas 4 --fabric inprocess")]
    [InlineData("qwen3-moe-mixed", "--stages 2 --replicas 2 --fabric inprocess")]
    [InlineData("qwen3", "--stages 2 --replicas 2 --fabric tcp")]
    [InlineData("qwen3", "--stages 1")]
    [InlineData("qwen2-moe", "--stages 1")]
    [InlineData("qwen2-moe", "--replicas 2 --fabric shm")]
    [InlineData("qwen2-moe", "--stages 2 --fabric inprocess")]
    [InlineData("qwen2-moe", "--stages 2 --replicas 2 --fabric tcp")]
    [InlineData("qwen3-moe", "--tensor 4 --fabric inprocess")]
    [InlineData("qwen3-moe", "--stages 2 --replicas 2 --tensor 2 --fabric inprocess")]
    [InlineData("qwen3-moe-mixed", "--tensor 2 --fabric shm")]
    [InlineData("qwen3-moe-mixed", "--replicas 2 --tensor 3 --fabric inprocess")]
    [InlineData("qwen3", "--stages 3 --tensor 2 --fabric inprocess")]
    [InlineData("qwen2-moe", "--tensor 2 --fabric tcp")]
    [InlineData("qwen2-moe", "--stages 2 --replicas 2 --tensor 2 --fabric inprocess --overlap on")]
    [MemberData(nameof(FourRanks))]
    public async Task Goldens_agree_in_logits_and_greedy_tokens(string model, string layout)
    {
        JsonElement got = await Json(["verify", "--model", Repository.At("tests", "goldens", "models", model), "--json",
            .. layout.Split(' ')]);
        Assert.True(got.GetProperty("greedy_match").GetBoolean());
        Assert.InRange(got.GetProperty("max_abs_logit_diff").GetDouble(), 0, 1e-3);
        Assert.InRange(got.GetProperty("max_abs_logprob_diff").GetDouble(), 0, 1e-3);
        Assert.True(got.GetProperty("cases").GetInt32() > 0);
    }

    private static async Task<JsonElement> Json(string[] arguments)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var shell = new Shell { Out = output, Error = TextWriter.Synchronized(errors), OpenInput = () => Stream.Null };
        int code = await CommandLine.RunAsync(arguments, shell, CancellationToken.None).WaitAsync(ProcessWorld.Deadline);
        Assert.True(code == 0, $"exit code {code}: {errors}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    private static double[] Flat(JsonElement rows) =>
        [.. rows.EnumerateArray().SelectMany(r => r.EnumerateArray()).Select(v => v.GetDouble())];
}
