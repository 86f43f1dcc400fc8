using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Reports;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;
using Troupe.Cli.Tracing;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Verbs;

/// <summary>troupe bench step: where each microsecond of a step goes on every rank.</summary>
internal static class BenchStepVerb
{
    private const int MostSteps = 2048;

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var bench = new BenchOptions();
        var model = new ModelOptions();
        var verb = new Verb("step", "Says where each microsecond of a step goes, on every rank",
            "./troupe bench step --stages 2 --replicas 2 --prompt-tokens 64 --max-tokens 64")
        {
            Details = $"One batch warms up, the next is traced, at most its last {MostSteps} steps. Activities lie end to end and add up "
                + "to the step; waiting is the part of one in which the rank waited for a peer. Of a hop between stages, unaccounted is "
                + "what is left without the copies on both sides and without the time by which the receiver came later than the data.",
        };
        verb.Add(bench);
        verb.Add(model);
        return verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = bench.Over(model.Read(parsed, shell.Warn), parsed);
            settings = settings with { Options = settings.Options with { Trace = new TraceOptions(MostSteps) } };
            StepBenchResult result = await RunAsync(shell, settings, bench.Load(parsed), verb.Output.Verbose(parsed), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.StepBenchResult));
            else StepTables.Write(shell, result);
            return ExitCode.Done;
        });
    }

    private static async Task<StepBenchResult> RunAsync(Shell shell, RunSettings settings, BenchLoad load, bool verbose,
        CancellationToken stop)
    {
        ModelSource model = Models.Find(settings.Options.Model);
        load.Check(model);
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, model, verbose, stop);
        await load.WarmUp.RunAsync(shell, cluster, stop);
        StepId after = (await cluster.Client.TraceAsync(1, stop)).SelectMany(r => r.Spans).Max(s => s.Step);
        await load.RunAsync(shell, cluster, stop);
        IReadOnlyList<RankTrace> traces = await cluster.Client.TraceAsync(MostSteps, stop);
        StatusReport status = await cluster.Client.StatusAsync();
        var measure = new StepMeasure([.. traces.Select(TracedRank.Of)], model.Config, settings.Options.FormOf(model.Config), after);
        return new StepBenchResult(settings.Options.Model, settings.Layout.ToString(), status.Fabric, settings.Options.Threads,
            load.Sequences, load.PromptTokens, load.MaxTokens, measure.Ranks, measure.Totals(prefill: true),
            measure.Totals(prefill: false));
    }
}
