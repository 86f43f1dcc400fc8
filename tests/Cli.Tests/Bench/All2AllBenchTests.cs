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
        ["bench", "all2all", "--tokens", "4", "--hidden", "256", "--experts", "16", "--topk", "4", "--rounds", "2",
            "--milliseconds", "5"];

    private static readonly string[] s_fields =
    [
        "strategy", "fabric", "ranks", "hosts", "tokens", "one_sided", "hidden", "experts", "topk", "routing", "row_type",
        "dispatch_us", "combine_us", "total_us", "bytes_to_others", "allocated_bytes_per_step", "iterations", "checked", "cheapest",
        "auto_pick", "predicted_us", "per_round",
    ];

    [Theory]
    [InlineData("inprocess")]
    [InlineData("shm")]
    [InlineData("tcp")]
    public async Task Every_legal_strategy_is_measured_and_checked_and_allocates_nothing(string fabric)
    {
        JsonElement[] figures = await FiguresAsync([.. s_small, "--fabric", fabric, "--rows", "bf16,fp32"]);
        var traits = new GroupTraits(2, fabric != "tcp", 1);
        IEnumerable<string> legal = Strategies.Available.Where(s => Strategies.Problem(s, traits) is null).Select(Strategies.NameOf);
        foreach (string rows in (string[])["bf16", "fp32"])
        {
            Assert.Equal(legal, figures.Where(f => f.GetProperty("row_type").GetString() == rows)
                .Select(f => f.GetProperty("strategy").GetString()));
        }
        Assert.All(figures, f =>
        {
            Assert.Empty(s_fields.Except(f.EnumerateObject().Select(p => p.Name)));
            Assert.True(f.GetProperty("checked").GetBoolean());
            Assert.Equal(0.0, f.GetProperty("allocated_bytes_per_step").GetDouble());
            Assert.True(f.GetProperty("bytes_to_others").GetDouble() > 0);
            Assert.True(f.GetProperty("predicted_us").GetDouble() > 0);
            Assert.Equal(2, f.GetProperty("per_round").GetArrayLength());
            foreach (string time in (string[])["dispatch_us", "combine_us", "total_us"]) AssertSpread(f.GetProperty(time));
        });
        Assert.Contains(figures, f => f.GetProperty("cheapest").GetBoolean());
        foreach (string rows in (string[])["bf16", "fp32"])
        {
            JsonElement pick = Assert.Single(figures,
                f => f.GetProperty("row_type").GetString() == rows && f.GetProperty("auto_pick").GetBoolean());
            AssertSpread(pick.GetProperty("auto_us"));
        }
    }

    [Theory]
    [InlineData("inprocess")]
    [InlineData("tcp")]
    public async Task Only_the_first_rank_has_tokens_where_one_sided(string fabric)
    {
        JsonElement[] figures = await FiguresAsync([.. s_small, "--fabric", fabric, "--ranks", "3", "--balance", "even,one-sided"]);
        foreach (IGrouping<string, JsonElement> strategy in figures.GroupBy(f => f.GetProperty("strategy").GetString()!))
        {
            double[] bytes = [.. strategy.OrderBy(f => f.GetProperty("one_sided").GetBoolean())
                .Select(f => f.GetProperty("bytes_to_others").GetDouble())];
            Assert.Equal(2, bytes.Length);
            Assert.InRange(bytes[1], 1, bytes[0] * 0.6); // a third of the tokens
        }
    }

    [Fact]
    public async Task Without_sizes_it_measures_the_standard_set()
    {
        JsonElement[] figures = await FiguresAsync("bench", "all2all", "--fabric", "inprocess", "--ranks", "2", "--rounds", "1",
            "--milliseconds", "1", "--strategies", "workspace");
        Assert.Equal([(1, 2048, 64), (8, 2048, 64), (32, 2048, 64), (128, 7168, 256), (1024, 2048, 64)], figures.Select(f =>
            (f.GetProperty("tokens").GetInt32(), f.GetProperty("hidden").GetInt32(), f.GetProperty("experts").GetInt32())));
        Assert.All(figures, f => Assert.True(f.GetProperty("auto_pick").GetBoolean()));
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
        JsonElement[] figures = await FiguresAsync("bench", "all2all", "--fabric", "inprocess", "--ranks", $"{ranks}", "--tokens", "1,9",
            "--hidden", "200", "--experts", "10", "--topk", "3", "--routing", "zipf1", "--rows", rows, "--strategies", strategy,
            "--rounds", "1", "--milliseconds", "5", "--seed", "7");
        Assert.All(figures, f => Assert.True(f.GetProperty("checked").GetBoolean()));
        Assert.Equal(2, figures.Length);
    }

    [Theory]
    [InlineData("mixed", 3)]
    [InlineData("inprocess", 4)]
    public async Task One_machine_plays_several_hosts(string fabric, int ranks)
    {
        JsonElement[] figures = await FiguresAsync([.. s_small, "--ranks", $"{ranks}", "--fabric", fabric, "--hosts", "2", "--strategies",
            "hierarchical,allgather_reducescatter"]);
        Assert.Equal(["hierarchical", "allgather_reducescatter"], figures.Select(f => f.GetProperty("strategy").GetString()));
        Assert.All(figures, f => Assert.Equal((2, 0.0),
            (f.GetProperty("hosts").GetInt32(), f.GetProperty("allocated_bytes_per_step").GetDouble())));
    }

    [Fact]
    public async Task A_strategy_without_room_is_left_out_and_said_so()
    {
        CliRun run = await CliRun.Of("bench", "all2all", "--fabric", "inprocess", "--ranks", "2", "--tokens", "1,300", "--hidden", "32",
            "--strategies", "low_latency", "--rounds", "1", "--milliseconds", "5", "--json");
        Assert.Equal(ExitCode.Done, run.Code);
        Assert.Equal(1, Assert.Single(JsonDocument.Parse(run.Out).RootElement.EnumerateArray()).GetProperty("tokens").GetInt32());
        Assert.Matches("^troupe: not measured: low_latency, 2 ranks, inprocess, T=300: it has room for 256 rows a rank\n$", run.Error);
    }

    [Fact]
    public async Task The_plot_is_an_SVG_with_a_line_for_each_strategy()
    {
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "plot.svg");
        CliRun run = await CliRun.Of("bench", "all2all", "--fabric", "inprocess", "--ranks", "2", "--tokens", "1,8", "--hidden", "64",
            "--rounds", "1", "--milliseconds", "2", "--strategies", "low_latency,workspace", "--plot", file);
        Assert.Equal((ExitCode.Done, ""), (run.Code, run.Error));
        Assert.Contains("workspace", run.Out, StringComparison.Ordinal);
        XElement[] all = [.. XDocument.Load(file).Descendants()];
        Assert.Equal(2, all.Count(e => e.Name.LocalName == "polyline"));
        foreach (string name in (string[])["low_latency", "workspace"])
            Assert.Single(all, e => e.Name.LocalName == "text" && e.Value == name);
        Assert.True(all.Count(e => e.Name.LocalName == "circle" && (string?)e.Attribute("r") == "7") >= 2);
        Assert.Equal(2, all.Count(e => e.Name.LocalName == "path")); // the router's pick at each token count
    }

    [Theory]
    [InlineData("--tokens must be whole numbers in [1, 8191]", "--tokens", "1,x")]
    [InlineData("--ranks must be whole numbers in [1, 64]", "--ranks", "0")]
    [InlineData("--rows must be some of fp32, bf16, int8, fp8, got 'int4'", "--rows", "bf16,int4")]
    [InlineData("known are auto, inprocess, shm, tcp, mixed", "--fabric", "pigeon")]
    [InlineData("strategy 'pplex' was asked for", "--strategies", "pplex")]
    [InlineData("--routing must be some of uniform, zipf1, zipf2, got 'zipf3'", "--routing", "zipf3")]
    [InlineData("--balance must be some of even, one-sided, got 'odd'", "--balance", "odd")]
    [InlineData("--topk 65: there are only 64 experts", "--topk", "65")]
    [InlineData("use fewer --tokens", "--tokens", "8000", "--hidden", "65536", "--ranks", "64")]
    [InlineData("nothing to measure: workspace", "--fabric", "tcp", "--strategies", "workspace")]
    public async Task What_cannot_be_measured_is_refused_in_one_line(string says, params string[] options)
    {
        string line = (await CliRun.Of(["bench", "all2all", .. options])).OneLine(ExitCode.WrongUsage);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    private static async Task<JsonElement[]> FiguresAsync(params string[] arguments) =>
        [.. (await CliRun.Of([.. arguments, "--json"])).Json().EnumerateArray()];

    private static void AssertSpread(JsonElement time)
    {
        double[] spread = [.. ((string[])["min", "p50", "p99"]).Select(p => time.GetProperty(p).GetDouble())];
        Assert.True(spread[0] > 0 && spread[0] <= spread[1] && spread[1] <= spread[2], string.Join(' ', spread));
    }
}
