using System.Text.Json;
using System.Xml.Linq;
using Troupe.Cli.Tests.Support;
using Troupe.Devices.All2All;
using Xunit;

namespace Troupe.Cli.Tests.Bench;

/// <summary>bench all2all over real fabrics, small: its fields, its checks, and how it ends when something is wrong.</summary>
[Collection("processes")]
public sealed class All2AllBenchTests
{
    private static readonly string[] s_small =
        ["bench", "all2all", "--tokens", "4", "--hidden", "256", "--experts", "16", "--top-k", "4", "--rounds", "2",
            "--budget", "5"];

    private static readonly string[] s_fields =
    [
        "fabric", "ranks", "hosts", "tokens", "hidden", "experts", "top_k", "rows", "zipf", "strategy", "dispatch_us",
        "combine_us", "total_us",
        "bytes_to_others", "allocated_bytes", "checks", "cheapest", "per_round",
    ];

    [Theory]
    [InlineData("inprocess")]
    [InlineData("shm")]
    [InlineData("tcp")]
    public async Task Every_legal_strategy_is_measured_and_checked_and_allocates_nothing(string fabric)
    {
        JsonElement result = (await CliRun.Of([.. s_small, "--fabric", fabric, "--rows", "bf16,fp32", "--json"])).Json();
        foreach (string field in (string[])["cores", "rounds", "budget_ms", "max_iterations", "seed", "notes", "results", "skipped"])
            Assert.True(result.TryGetProperty(field, out _), field);
        JsonElement[] figures = [.. result.GetProperty("results").EnumerateArray()];
        var traits = new GroupTraits(2, fabric != "tcp", 1);
        IEnumerable<string> legal = Strategies.Available.Where(s => Strategies.Problem(s, traits) is null).Select(Strategies.NameOf);
        foreach (string rows in (string[])["bf16", "fp32"])
        {
            Assert.Equal(legal, figures.Where(f => f.GetProperty("rows").GetString() == rows)
                .Select(f => f.GetProperty("strategy").GetString()));
        }
        Assert.All(figures, f =>
        {
            Assert.Empty(s_fields.Except(f.EnumerateObject().Select(p => p.Name)));
            Assert.Equal(("ok", 0.0), (f.GetProperty("checks").GetString(), f.GetProperty("allocated_bytes").GetDouble()));
            Assert.True(f.GetProperty("bytes_to_others").GetDouble() > 0);
            Assert.Equal(2, f.GetProperty("per_round").GetArrayLength());
            foreach (string time in (string[])["dispatch_us", "combine_us", "total_us"])
            {
                double[] spread = [.. ((string[])["min", "p50", "p99"]).Select(p => f.GetProperty(time).GetProperty(p).GetDouble())];
                Assert.True(spread[0] > 0 && spread[0] <= spread[1] && spread[1] <= spread[2], $"{time}: {string.Join(' ', spread)}");
            }
        });
        Assert.Contains(figures, f => f.GetProperty("cheapest").GetBoolean());
    }

    [Theory]
    [InlineData("inprocess", "row")]
    [InlineData("inprocess", "sum")]
    [InlineData("shm", "row")]
    [InlineData("tcp", "sum")]
    public async Task A_corrupted_row_is_found_and_named(string fabric, string what)
    {
        CliRun run = await CliRun.Of([.. s_small, "--fabric", fabric, "--strategies", "low_latency", "--corrupt", what]);
        string line = run.OneLine(ExitCode.Failed);
        Assert.Contains("low_latency", line, StringComparison.Ordinal);
        // The last rank spoils what the first one sent: the row as it arrives, or its sum as it comes back.
        Assert.Contains(what == "row" ? "at rank 1:" : "at rank 0:", line, StringComparison.Ordinal);
        Assert.Matches(@"token \d of rank 0 (came|was combined) wrong", line);
    }

    [Theory]
    [InlineData("int8", "low_latency", 2)]
    [InlineData("fp8", "workspace", 2)]
    [InlineData("bf16", "high_throughput", 3)]
    [InlineData("bf16", "allgather_reducescatter", 1)]
    public async Task Rows_of_every_type_pass_the_checks(string rows, string strategy, int ranks)
    {
        JsonElement result = (await CliRun.Of("bench", "all2all", "--fabric", "inprocess", "--ranks", $"{ranks}", "--tokens", "1,9",
            "--hidden", "200", "--experts", "10", "--top-k", "3", "--zipf", "1", "--rows", rows, "--strategies", strategy, "--rounds", "1",
            "--budget", "5", "--seed", "7", "--json")).Json();
        Assert.All(result.GetProperty("results").EnumerateArray(), f => Assert.Equal("ok", f.GetProperty("checks").GetString()));
        Assert.Equal(2, result.GetProperty("results").GetArrayLength());
    }

    [Theory]
    [InlineData("mixed", 3)]
    [InlineData("inprocess", 4)]
    public async Task One_machine_plays_several_hosts(string fabric, int ranks)
    {
        JsonElement result = (await CliRun.Of([.. s_small, "--ranks", $"{ranks}", "--fabric", fabric, "--hosts", "2", "--strategies",
            "hierarchical,allgather_reducescatter", "--json"])).Json();
        JsonElement[] figures = [.. result.GetProperty("results").EnumerateArray()];
        Assert.Equal(["hierarchical", "allgather_reducescatter"], figures.Select(f => f.GetProperty("strategy").GetString()));
        Assert.All(figures, f => Assert.Equal((2, 0.0), (f.GetProperty("hosts").GetInt32(), f.GetProperty("allocated_bytes").GetDouble())));
    }

    [Fact]
    public async Task A_strategy_without_room_is_left_out_and_said_so()
    {
        JsonElement result = (await CliRun.Of("bench", "all2all", "--fabric", "inprocess", "--tokens", "1,300", "--hidden", "32",
            "--strategies", "low_latency", "--rounds", "1", "--budget", "5", "--json")).Json();
        Assert.Equal(1, Assert.Single(result.GetProperty("results").EnumerateArray()).GetProperty("tokens").GetInt32());
        JsonElement skipped = Assert.Single(result.GetProperty("skipped").EnumerateArray());
        Assert.Equal(300, skipped.GetProperty("tokens").GetInt32());
        Assert.Contains("256 rows", skipped.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_plot_is_an_SVG_with_a_line_for_each_strategy()
    {
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "plot.svg");
        CliRun run = await CliRun.Of("bench", "all2all", "--fabric", "inprocess", "--tokens", "1,8", "--hidden", "64", "--rounds", "1",
            "--budget", "2", "--strategies", "low_latency,workspace", "--plot", file);
        Assert.Equal((ExitCode.Done, ""), (run.Code, run.Error));
        Assert.Contains("workspace", run.Out, StringComparison.Ordinal);
        XElement[] all = [.. XDocument.Load(file).Descendants()];
        Assert.Equal(2, all.Count(e => e.Name.LocalName == "polyline"));
        foreach (string name in (string[])["low_latency", "workspace"])
            Assert.Single(all, e => e.Name.LocalName == "text" && e.Value == name);
        Assert.True(all.Count(e => e.Name.LocalName == "circle" && (string?)e.Attribute("r") == "7") >= 2);
    }

    [Theory]
    [InlineData("--tokens must be whole numbers in [1, 8191]", "--tokens", "1,x")]
    [InlineData("--ranks must be whole numbers in [1, 64]", "--ranks", "0")]
    [InlineData("--rows must be some of fp32, bf16, int8, fp8, got 'int4'", "--rows", "bf16,int4")]
    [InlineData("known are auto, inprocess, shm, tcp, mixed", "--fabric", "pigeon")]
    [InlineData("strategy 'pplex' was asked for", "--strategies", "pplex")]
    [InlineData("--top-k 65: there are only 64 experts", "--top-k", "65")]
    [InlineData("use fewer --tokens", "--tokens", "8000", "--hidden", "65536", "--ranks", "64")]
    [InlineData("nothing to measure: workspace", "--fabric", "tcp", "--strategies", "workspace")]
    public async Task What_cannot_be_measured_is_refused_in_one_line(string says, params string[] options)
    {
        string line = (await CliRun.Of(["bench", "all2all", .. options])).OneLine(ExitCode.WrongUsage);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }
}
