using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Tracing;

namespace Troupe.Cli.Verbs;

/// <summary>troupe trace: what the last steps of a running cluster were made of, as a file for Perfetto.</summary>
internal static class TraceVerb
{
    private const int DefaultSteps = 64;

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string> at = AddressOption.Create();
        Option<string?> file = Opt.OptionalText("--out", "FILE.json", "Where the trace goes");
        Option<int> steps = Opt.Int("--steps", "How many of each rank's last steps", 1, TraceOptions.MostSteps, DefaultSteps);
        var verb = new Verb("trace", "Writes what the last steps of a cluster were made of, for Perfetto",
            "./troupe trace --at 127.0.0.1:4100 --out trace.json")
        {
            Details = "The cluster must keep traces: troupe.trace.steps in its configuration says of how many steps. The file is in "
                + "Chrome's trace event format; https://ui.perfetto.dev opens it without sending it anywhere. Arrows go from what a rank "
                + "sent to the wait that it ended. The ranks' clocks are aligned by pings and by what they sent each other; the file says "
                + "how exactly.",
        };
        verb.Add(new OwnOptions(at, file, steps));
        return verb.Runs(async (parsed, stop) =>
        {
            string path = parsed.GetValue(file) ?? throw new UsageException("--out FILE.json is missing: where should the trace go?");
            TraceResult result = await RunAsync(parsed.GetValue(at)!, path, parsed.GetValue(steps), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.TraceResult));
            else shell.Out.WriteLine($"{path}: {result.Events} spans and {result.Arrows} arrows of {result.Steps} steps on {result.Ranks} "
                + $"ranks, their clocks aligned to {result.ClockUncertaintyUs:0.#} µs; open it in https://ui.perfetto.dev");
            return ExitCode.Done;
        });
    }

    private static async Task<TraceResult> RunAsync(string at, string path, int steps, CancellationToken stop)
    {
        // First, so that nobody waits for a trace that cannot be kept; what is there is only overwritten by a whole one.
        bool existed = File.Exists(path);
        await using FileStream file = Open(path);
        try
        {
            await using RemoteClient remote = RemoteClient.Open(at);
            IReadOnlyList<RankTrace> traces = await remote.Client.TraceAsync(steps, stop);
            if (traces.All(t => t.Spans.Count == 0)) throw new FailedException("no rank has run a step yet");
            file.SetLength(0);
            return Write(traces, path, file);
        }
        catch
        {
            if (!existed) File.Delete(path);
            throw;
        }
    }

    /// <summary>Writes the file.</summary>
    internal static TraceResult Write(IReadOnlyList<RankTrace> traces, string path, Stream to)
    {
        TracedRank[] ranks = [.. traces.Select(TracedRank.Of).Where(r => r.Steps.Count > 0)];
        List<Arrow> arrows = Arrows.Of(ranks);
        var timeline = new Timeline(ranks, arrows);
        TraceCounts counts = new ChromeTrace(ranks, arrows, timeline).WriteTo(to);
        int steps = ranks.SelectMany(r => r.Steps.Select(s => s.Span.Step)).Distinct().Count();
        return new TraceResult(path, ranks.Length, steps, counts.Events, counts.Arrows,
            Math.Round(Enumerable.Range(0, ranks.Length).Max(r => timeline.Between(0, r)), 3));
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FailedException($"--out {path} cannot be written: {e.Message}");
        }
    }
}
