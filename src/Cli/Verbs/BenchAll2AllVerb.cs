using System.CommandLine;
using System.Text.Json;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels.Cpu;

namespace Troupe.Cli.Verbs;

/// <summary>troupe bench all2all: how fast each strategy does dispatch and combine.</summary>
internal static class BenchAll2AllVerb
{
    private static readonly string[] s_notes =
    [
        "times in us; an iteration's is that of its slowest rank; figures are medians over rounds",
        "total: barrier, then dispatch, an identity expert that reads every row once, and combine, timed as one",
        "rows are rewritten before each iteration of the total, so that their lines are changed in the core that sends them",
    ];

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var options = new All2AllOptions();
        var verb = new Verb("all2all", "Measures dispatch and combine of every strategy, each result checked",
            "./troupe bench all2all --ranks 2,4 --tokens 1,8,32 --fabric shm --plot all2all.svg")
        {
            Details = "Ranks are processes on shm and tcp, threads on inprocess. Each (strategy, shape) runs once a round, in turn; "
                + "what is shown are medians over rounds. bench/all2all.md says what is timed.",
        };
        verb.Add(options);
        foreach (Option hidden in options.Hidden) verb.Options.Add(hidden);
        return verb.Runs(async (parsed, stop) =>
        {
            if (options.IsWorker(parsed)) return All2AllWorker.Run(shell);
            All2AllPlan plan = options.Read(parsed);
            All2AllResult result = await RunAsync(shell, plan, verb.Output.Verbose(parsed), stop);
            if (plan.Plot is { } file) await File.WriteAllTextAsync(file, LatencyPlot.Draw(result.Results), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, All2AllJson.Default.All2AllResult));
            else All2AllTable.Write(shell, result);
            return ExitCode.Done;
        });
    }

    private static async Task<All2AllResult> RunAsync(Shell shell, All2AllPlan plan, bool verbose, CancellationToken stop)
    {
        var progress = new All2AllProgress(shell, plan.Works.Sum(w => w.Measurements), verbose);
        var figures = new List<All2AllFigures>();
        foreach (All2AllWork work in plan.Works)
        {
            var tally = new All2AllTally(work);
            void Report(int rank, All2AllSamples samples)
            {
                if (tally.Add(samples) is { } total) progress.Say(work, samples, total);
            }
            try
            {
                if (work.Fabric == FabricKind.InProcess) await All2AllThreads.RunAsync(work, Report, shell.Clock, stop);
                else await All2AllProcesses.RunAsync(work, Report, stop);
            }
            finally
            {
                progress.Clear();
            }
            figures.AddRange(tally.Figures());
        }
        All2AllWork first = plan.Works[0];
        return new All2AllResult(Environment.ProcessorCount, CpuDevice.VectorBits, first.Rounds, first.BudgetMs, first.Iterations,
            first.Seed, s_notes, figures, plan.Skipped);
    }
}
