using System.CommandLine;
using System.Text.Json;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Verbs;

/// <summary>troupe bench all2all: how fast each strategy does dispatch and combine.</summary>
internal static class BenchAll2AllVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var options = new All2AllOptions();
        var verb = new Verb("all2all", "Measures dispatch and combine of every strategy, each result checked",
            "./troupe bench all2all --ranks 2,4 --tokens 1,8,32 --fabric shm --plot all2all.svg")
        {
            Details = "Ranks are processes on shm and tcp, threads on inprocess. Each (strategy, shape) runs once a round, in turn; "
                + "what is shown are medians over rounds. The router has a turn of its own each round, calibrated on the same fabric. "
                + "Without --tokens, --hidden, --experts and --topk: the standard set of five shapes. bench/all2all.md says what is timed.",
        };
        verb.Add(options);
        foreach (Option hidden in options.Hidden) verb.Options.Add(hidden);
        return verb.Runs(async (parsed, stop) =>
        {
            if (options.IsWorker(parsed)) return All2AllWorker.Run(shell);
            All2AllPlan plan = options.Read(parsed);
            All2AllTable.Leave(shell, plan.Skipped);
            IReadOnlyList<All2AllFigures> figures = await RunAsync(shell, plan, verb.Output.Verbose(parsed), stop);
            if (plan.Plot is { } file) await File.WriteAllTextAsync(file, LatencyPlot.Draw(figures), stop);
            if (verb.Output.Json(parsed))
                shell.Out.WriteLine(JsonSerializer.Serialize(figures, All2AllJson.Default.IReadOnlyListAll2AllFigures));
            else All2AllTable.Write(shell, plan, figures);
            return ExitCode.Done;
        });
    }

    private static async Task<IReadOnlyList<All2AllFigures>> RunAsync(Shell shell, All2AllPlan plan, bool verbose, CancellationToken stop)
    {
        var progress = new All2AllProgress(shell, plan.Works.Sum(w => w.Measurements), verbose);
        var figures = new List<All2AllFigures>();
        foreach (All2AllWork work in plan.Works)
        {
            var tally = new All2AllTally(work, (what, index, round, totalUs) => progress.Say(work, what, index, round, totalUs));
            try
            {
                if (work.Fabric == FabricKind.InProcess) await All2AllThreads.RunAsync(work, tally, shell.Clock, stop);
                else await All2AllProcesses.RunAsync(work, tally, stop);
            }
            finally
            {
                progress.Clear();
            }
            figures.AddRange(tally.Figures());
        }
        return figures;
    }
}
