using Troupe.Cli.Measures;

namespace Troupe.Cli.Output;

/// <summary>What bench step measured, for people.</summary>
internal static class StepTables
{
    /// <summary>Writes all of it.</summary>
    public static void Write(Shell shell, StepBenchResult result)
    {
        shell.Out.WriteLine($"{result.Model}: {result.Layout}, {result.Threads} threads each, over {result.Fabric}");
        shell.Out.WriteLine($"{result.Sequences} sequences of {result.PromptTokens} + {result.MaxTokens} tokens; µs of a step");
        foreach (StepRank rank in result.Ranks)
        {
            shell.Out.WriteLine();
            shell.Out.WriteLine($"rank {rank.Rank} (stage {rank.Stage}, replica {rank.Replica}"
                + (rank.Tensor > 0 ? $", tensor {rank.Tensor})" : ")"));
            Parts(rank).WriteTo(shell);
            Waits(shell, "prefill", rank.Prefill);
            Waits(shell, "decode", rank.Decode);
        }
        shell.Out.WriteLine();
        Totals(shell, "prefill", result.Prefill);
        Totals(shell, "decode", result.Decode);
    }

    private static Grid Parts(StepRank rank)
    {
        string[] columns = ["decode p50", "mean", "share", "waiting", "prefill p50", " mean", " share", " waiting"];
        var grid = new Grid(["activity", .. columns]) { Numbers = [.. columns] };
        string[] names = [.. (rank.Decode?.Parts ?? []).Concat(rank.Prefill?.Parts ?? []).Select(p => p.Name).Distinct()];
        foreach (string name in names)
            grid.Row([name.Replace('_', ' '), .. Part(rank.Decode, name), .. Part(rank.Prefill, name)]);
        grid.Row(["unaccounted", .. Rest(rank.Decode), .. Rest(rank.Prefill)]);
        grid.Row(["step", .. Whole(rank.Decode), .. Whole(rank.Prefill)]);
        return grid.Row(["idle before it", .. Idle(rank.Decode), .. Idle(rank.Prefill)]);
    }

    private static string[] Part(RankSteps? steps, string name) => steps?.Parts.FirstOrDefault(p => p.Name == name) is { } part
        ? [.. Figure(part.Us), Share(part.Share), part.WaitingUs > 0 ? $"{part.WaitingUs:0.0}" : ""] : ["", "", "", ""];

    private static string[] Rest(RankSteps? steps) =>
        steps is null ? ["", "", "", ""] : [.. Figure(steps.UnaccountedUs), Share(steps.UnaccountedShare), ""];

    private static string[] Whole(RankSteps? steps) =>
        steps is null ? ["", "", "", ""] : [.. Figure(steps.StepUs), Share(1), $"{steps.Parts.Sum(p => p.WaitingUs):0.0}"];

    private static string[] Idle(RankSteps? steps) => steps is null ? ["", "", "", ""] : [.. Figure(steps.IdleUs), "", ""];

    private static string[] Figure(StepFigure figure) => [$"{figure.P50Us:0.0}", $"{figure.MeanUs:0.0}"];

    private static string Share(double share) => $"{100 * share:0.0} %";

    private static void Waits(Shell shell, string kind, RankSteps? steps)
    {
        if (steps is not { WaitingForUs.Count: > 0 }) return;
        shell.Out.WriteLine($"in a {kind} step it waits "
            + string.Join(", ", steps.WaitingForUs.Select(w => $"{w.Value:0.0} µs for rank {w.Key}")));
    }

    private static void Totals(Shell shell, string kind, StepTotals? totals)
    {
        if (totals is null) return;
        shell.Out.WriteLine($"{totals.Steps} {kind} steps of {(double)totals.Tokens / totals.Steps:0.0} tokens: "
            + $"{totals.WeightBytesPerToken / 1e6:0.0} MB of weights read a token"
            + (totals.ExpertImbalance is { } ratio ? $", the busiest rank's experts have {ratio:0.00} x the mean rows" : ""));
        if (totals.StageHops is not { } hop) return;
        shell.Out.WriteLine($"  a hop to the next stage: {hop.HopUs:0.0} µs, of which copies {hop.CopyUs:0.0}, receiver late "
            + $"{hop.LateUs:0.0}, unaccounted {hop.UnaccountedUs:0.0} (each the p50 of {hop.Hops})");
        shell.Out.WriteLine(
            $"  in {hop.WaitingHops} the receiver was there first: of these unaccounted {hop.UnaccountedWaitingUs:0.0} µs; the clocks "
            + $"are within {hop.ClockUncertaintyUs:0.0} µs");
    }
}
