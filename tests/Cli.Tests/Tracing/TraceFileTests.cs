using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Cli.Tests.Processes;
using Troupe.Cli.Tests.Support;
using Troupe.Cli.Verbs;
using Troupe.Model.Layers;
using Xunit;

namespace Troupe.Cli.Tests.Tracing;

/// <summary>The file that Perfetto opens, of real rank processes; and what the verb says of what it cannot do.</summary>
[Collection("processes")]
public sealed class TraceFileTests
{
    [Fact]
    public async Task A_trace_of_rank_processes_is_complete_named_ordered_and_on_one_clock()
    {
        await using ProcessWorld world = await ProcessWorld.StartAsync(2, 2, "troupe.trace.steps = 64");
        await world.RunAsync([ProcessWorld.Greedy("a", [570, 47, 39], 24), ProcessWorld.Greedy("b", [497, 14], 24)]);
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "trace.json");
        await File.WriteAllTextAsync(file, new string('x', 10_000_000)); // longer than what comes: must go
        JsonElement said = (await CliRun.Of("trace", "--at", world.Handle.Address, "--out", file, "--steps", "20", "--json")).Json();
        Assert.Equal((4, 20), (said.GetProperty("ranks").GetInt32(), said.GetProperty("steps").GetInt32()));
        using var trace = JsonDocument.Parse(await File.ReadAllTextAsync(file));
        JsonElement[] events = [.. trace.RootElement.GetProperty("traceEvents").EnumerateArray()];
        CheckNames(events);
        CheckOrder(events);
        CheckArrows(events, said.GetProperty("arrows").GetInt32());
        Assert.Equal(said.GetProperty("events").GetInt32(), events.Count(e => Text(e, "ph") == "X"));
        // All processes read the same clock here, so what is found must allow for no offset at all.
        foreach (JsonElement clock in trace.RootElement.GetProperty("otherData").GetProperty("clocks").EnumerateArray())
            Assert.InRange(Math.Abs(clock.GetProperty("ahead_us").GetDouble()), 0, clock.GetProperty("uncertainty_us").GetDouble() + 0.01);
    }

    [Fact]
    public async Task What_cannot_be_traced_is_said_in_one_line()
    {
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "trace.json");
        string nobody = (await CliRun.Of("trace", "--at", "127.0.0.1:1", "--out", file)).OneLine(ExitCode.Failed);
        Assert.Contains("no cluster answered", nobody, StringComparison.Ordinal);
        Assert.False(File.Exists(file));
        string unwritable = (await CliRun.Of("trace", "--at", "127.0.0.1:1", "--out", Path.Combine(folder.Path, "no", "trace.json")))
            .OneLine(ExitCode.Failed);
        Assert.Contains("cannot be written", unwritable, StringComparison.Ordinal);
        string place = (await CliRun.Of("trace", "--out", folder.Path)).OneLine(ExitCode.Failed);
        Assert.Contains("cannot be written", place, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cluster_without_traces_leaves_the_file_as_it_was()
    {
        await using ProcessWorld world = await ProcessWorld.StartAsync(1, 1, "troupe.trace.steps = 8");
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "trace.json");
        await File.WriteAllTextAsync(file, "earlier");
        string line = (await CliRun.Of("trace", "--at", world.Handle.Address, "--out", file, "--steps", "9")).OneLine(ExitCode.Failed);
        Assert.Contains("keeps the last 8 steps, 9 were asked for", line, StringComparison.Ordinal);
        Assert.Equal("earlier", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public void A_trace_without_steps_on_some_rank_is_still_a_file()
    {
        var clock = new Actors.Reports.ClockReport(0, 0, 0, 0, 1_000_000_000, 5, 5);
        StepSpan step = new(new(3), 0, StepActivity.DecodeStep, -1, -1, 1, 0, 100, 50);
        using var stream = new MemoryStream();
        TraceVerb.Write([new RankTrace(clock, [step]), new RankTrace(clock with { Rank = 1 }, [])], "f", stream);
        using var trace = JsonDocument.Parse(stream.ToArray());
        JsonElement only = Assert.Single(trace.RootElement.GetProperty("traceEvents").EnumerateArray(), e => Text(e, "ph") == "X");
        Assert.Equal((0.0, 0.05), (only.GetProperty("ts").GetDouble(), only.GetProperty("dur").GetDouble()));
    }

    private static void CheckNames(JsonElement[] events)
    {
        var processes = events.Where(e => Text(e, "name") == "process_name").Select(e => e.GetProperty("pid").GetInt32()).ToHashSet();
        var threads = events.Where(e => Text(e, "name") == "thread_name").Select(Thread).ToHashSet();
        Assert.Equal([0, 1, 2, 3], processes.Order());
        Assert.Contains(events, e => Text(e, "ph") == "M" && Text(e.GetProperty("args"), "name") == "rank 2 (stage 1, replica 0)");
        Assert.All(events.Where(e => Text(e, "ph") != "M"), e => Assert.Contains(Thread(e), threads));
    }

    /// <summary>By thread, times never go back, and a span that begins within another ends within it.</summary>
    private static void CheckOrder(JsonElement[] events)
    {
        foreach (var thread in events.Where(e => Text(e, "ph") != "M").GroupBy(Thread))
        {
            double last = 0;
            var open = new Stack<double>();
            foreach (JsonElement e in thread)
            {
                double at = e.GetProperty("ts").GetDouble();
                Assert.True(at >= last, $"{at} comes after {last}");
                last = at;
                if (Text(e, "ph") != "X") continue;
                double end = at + e.GetProperty("dur").GetDouble();
                while (open.Count > 0 && open.Peek() <= at + 0.002) open.Pop(); // three decimals
                if (open.Count > 0) Assert.True(end <= open.Peek() + 0.002, $"[{at}, {end}] leaves a span that ends at {open.Peek()}");
                open.Push(end);
            }
        }
    }

    private static void CheckArrows(JsonElement[] events, int count)
    {
        var starts = events.Where(e => Text(e, "ph") == "s").ToDictionary(e => e.GetProperty("id").GetInt32());
        var ends = events.Where(e => Text(e, "ph") == "f").ToDictionary(e => e.GetProperty("id").GetInt32());
        Assert.Equal(count, starts.Count);
        Assert.Equal(starts.Keys.Order(), ends.Keys.Order());
        foreach ((int id, JsonElement start) in starts)
        {
            Assert.NotEqual(start.GetProperty("pid").GetInt32(), ends[id].GetProperty("pid").GetInt32());
            Assert.Equal(Text(start, "name"), Text(ends[id], "name"));
            Assert.True(ends[id].GetProperty("ts").GetDouble() >= start.GetProperty("ts").GetDouble() - 0.01);
        }
        // Rows go from stage to stage, tokens back, and rows to experts and sums from them within a stage.
        string[] names = ["stage receive", "ring receive", "dispatch receive", "combine receive"];
        Assert.All(names, name => Assert.Contains(starts.Values, s => Text(s, "name") == name));
    }

    private static (int, int) Thread(JsonElement e) => (e.GetProperty("pid").GetInt32(), e.GetProperty("tid").GetInt32());

    private static string Text(JsonElement e, string name) => e.GetProperty(name).GetString()!;
}
