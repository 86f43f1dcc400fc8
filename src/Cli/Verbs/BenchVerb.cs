using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Planning;
using Troupe.Actors.Reports;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;
using Troupe.Cli.Tracing;
using Troupe.Devices.Topology;
using Process = System.Diagnostics.Process;

namespace Troupe.Cli.Verbs;

/// <summary>troupe bench generate: how fast a layout prefills and decodes.</summary>
internal static class BenchVerb
{
    private const int TracedSteps = 512;

    /// <summary>Makes the verb.</summary>
    public static Command Create(Shell shell)
    {
        var bench = new BenchOptions();
        var model = new ModelOptions();
        var verb = new Verb("generate", "Measures prefill and decode of whole requests, from the client's side",
            "./troupe bench generate --threads 2 --prompt-tokens 128 --max-tokens 128")
        {
            Details = "One batch warms up, the next is measured. Prefill lasts until each prompt has its first token, decode from there "
                + $"to the end. What experts had to do is counted in the last {TracedSteps} steps.",
        };
        verb.Add(bench);
        verb.Add(model);
        verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = bench.Over(model.Read(parsed, shell.Warn), parsed);
            settings = settings with { Options = settings.Options with { Trace = new TraceOptions(TracedSteps, TraceOf.Experts) } };
            BenchResult result = await RunAsync(shell, settings, bench.Load(parsed), verb.Output.Verbose(parsed), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.BenchResult));
            else Write(shell, result);
            return ExitCode.Done;
        });
        return new Command("bench", "Measures: generate, step, all2all")
        {
            verb, BenchStepVerb.Create(shell), BenchAll2AllVerb.Create(shell),
        };
    }

    private static async Task<BenchResult> RunAsync(Shell shell, RunSettings settings, BenchLoad load, bool verbose, CancellationToken stop)
    {
        ModelSource model = Models.Find(settings.Options.Model);
        load.Check(model);
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, model, verbose, stop);
        await load.WarmUp.RunAsync(shell, cluster, stop);
        long stepsBefore = (await cluster.Client.StatusAsync()).Step;
        StepId after = (await cluster.Client.TraceAsync(1, stop)).SelectMany(r => r.Spans).Max(s => s.Step);
        (GenerationClock clock, RequestOutcome[] outcomes) = await load.RunAsync(shell, cluster, stop);
        StatusReport status = await cluster.Client.StatusAsync();
        long peak = status.Ranks.Select(PeakRss).Max();
        // Last, since it takes memory that is not the ranks'.
        double bandwidth = MemoryBandwidth.Measure(Math.Min(Environment.ProcessorCount, settings.Options.Threads * settings.Layout.Ranks),
            shell.Clock);
        long weightBytes = ActiveWeights.Bytes(model.Config, settings.Options.FormOf(model.Config));
        IReadOnlyList<RankTrace> traces = await cluster.Client.TraceAsync(TracedSteps, stop);
        StepTotals? decode = new StepMeasure([.. traces.Select(TracedRank.Of)], model.Config,
            settings.Options.FormOf(model.Config), after).Totals(prefill: false);
        return new BenchResult(
            Round((double)load.PromptTokens * load.Sequences / clock.PrefillSeconds), Round(clock.DecodedTokens / clock.DecodeSeconds),
                load.Sequences,
            settings.Layout.Ranks, settings.Options.Threads, settings.Options.WeightsName,
            peak, Round(cluster.LoadSeconds), Math.Round(bandwidth), weightBytes,
            Breakdown(status, stepsBefore, outcomes), settings.Options.Model, settings.Layout.ToString(), status.Fabric, load.PromptTokens,
                load.MaxTokens,
            Round(outcomes.Average(o => o.Milliseconds.Queue + o.Milliseconds.Prefill)), Round(bandwidth / weightBytes))
        {
            MetadataRoundUs = status.Schedulers.Max(s => s.MetadataRoundUs) is { } round ? Round(round) : null,
            ExpertImbalance = decode?.ExpertImbalance,
            BatchWeightBytesPerToken = decode?.WeightBytesPerToken,
        };
    }

    /// <summary>A decode step as its client saw it, and what of it dispatch and combine of a stage took by themselves.</summary>
    private static Dictionary<string, double> Breakdown(StatusReport status, long stepsBefore, RequestOutcome[] outcomes)
    {
        double[] exchange = [.. status.Recent.Where(s => s.Step > stepsBefore && s.Kind == "decode" && s.MeasuredUs is > 0)
            .Select(s => s.MeasuredUs!.Value).Order()];
        double step = outcomes.Average(o => o.Milliseconds.Decode * 1000 / Math.Max(1, o.Ids.Count - 1));
        var parts = new Dictionary<string, double>(StringComparer.Ordinal) { ["step"] = Round(step) };
        if (exchange.Length == 0) return parts;
        double median = exchange[exchange.Length / 2];
        parts["dispatch_and_combine"] = Round(median);
        parts["other"] = Round(step - median);
        return parts;
    }

    private static long PeakRss(RankReport rank)
    {
        try
        {
            using var process = Process.GetProcessById(rank.Pid);
            return Math.Max(process.PeakWorkingSet64, rank.ResidentBytes);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return rank.ResidentBytes; // Of another host, or gone.
        }
    }

    private static void Write(Shell shell, BenchResult result)
    {
        shell.Out.WriteLine($"{result.Model}: {result.Layout}, {result.Threads} threads each, over {result.Fabric}");
        shell.Out.WriteLine($"{result.Sequences} sequences of {result.PromptTokens} + {result.MaxTokens} tokens, loaded in "
            + $"{result.LoadSeconds:0.0} s");
        shell.Out.WriteLine($"prefill {result.PrefillTokensPerSecond:0} tokens/s (first token after {result.FirstTokenMs:0} ms), decode "
            + $"{result.DecodeTokensPerSecond:0} tokens/s in total");
        shell.Out.WriteLine($"one sequence reads {result.WeightBytesPerToken / 1e6:0.0} MB of weights a token; at the "
            + $"{result.ReadBandwidthBytesPerSecond / 1e9:0.0} GB/s that "
            + $"were measured first, that is at most {result.MemoryBoundTokensPerSecond:0} tokens/s");
        if (result.BatchWeightBytesPerToken is { } bytes)
            shell.Out.WriteLine($"all of them together read {bytes / 1e6:0.0} MB a token"
                + (result.ExpertImbalance is { } ratio ? $", the busiest rank's experts have {ratio:0.00} x the mean rows" : ""));
        IEnumerable<string> parts = result.StepBreakdownUs.Select(p => $"{p.Key.Replace('_', ' ')} {p.Value:0} µs");
        shell.Out.WriteLine($"a decode step: {string.Join(", ", parts)}"
            + (result.MetadataRoundUs is { } round ? $"; where it is planned, the plan comes {round:0} µs after the offer" : ""));
        shell.Out.WriteLine($"largest rank process: {result.PeakRssBytes >> 20} MiB");
    }

    private static double Round(double value) => double.IsFinite(value) ? Math.Round(value, 3) : 0;
}
