using Troupe.Cli.Options;

namespace Troupe.Cli.Output;

/// <summary>Figures of strategies for people: a table a shape, the cheapest and the router's pick marked.</summary>
internal static class All2AllTable
{
    /// <summary>Writes all of it.</summary>
    public static void Write(Shell shell, All2AllPlan plan, IReadOnlyList<All2AllFigures> figures)
    {
        foreach (IGrouping<string, All2AllFigures> shape in figures.GroupBy(f => $"{f.World} T={f.Tokens}", StringComparer.Ordinal))
        {
            shell.Out.WriteLine(shape.Key);
            string[] columns = ["strategy", "dispatch", "combine", "total", "total p99", "predicted", "KB to others", "B allocated"];
            var grid = new Grid([.. columns, ""]) { Numbers = [.. columns[1..]] };
            foreach (All2AllFigures f in shape)
            {
                string mark = (f.Cheapest, f.AutoPick) switch
                {
                    (true, true) => "cheapest, router's pick",
                    (true, false) => "cheapest",
                    (false, true) => "router's pick",
                    _ => "",
                };
                grid.Row(f.Strategy, Us(f.DispatchUs.P50), Us(f.CombineUs.P50), Us(f.TotalUs.P50), Us(f.TotalUs.P99), Us(f.PredictedUs),
                    FormattableString.Invariant($"{f.BytesToOthers / 1000:0.0}"),
                    FormattableString.Invariant($"{f.AllocatedBytesPerStep:0.##}"), mark);
            }
            SpreadUs routed = shape.Single(f => f.AutoPick).AutoUs!;
            grid.WriteTo(shell);
            shell.Out.WriteLine($"as the router chose each step: total {Us(routed.P50)}, p99 {Us(routed.P99)}");
            shell.Out.WriteLine();
        }
        shell.Out.WriteLine($"µs, medians over {plan.Rounds} rounds of at most {plan.Iterations} iterations or {plan.Milliseconds} ms "
            + "a loop; dispatch, combine and total are p50. First and last iterations were checked.");
    }

    /// <summary>Says on stderr what is not measured, a line for each strategy and reason.</summary>
    public static void Leave(Shell shell, IReadOnlyList<All2AllSkipped> skipped)
    {
        foreach (var left in skipped.GroupBy(s => (s.Strategy, s.Fabric, s.Ranks, s.Reason)))
        {
            shell.Error.WriteLine($"troupe: not measured: {left.Key.Strategy}, {left.Key.Ranks} ranks, {left.Key.Fabric}, "
                + $"T={string.Join(',', left.Select(s => s.Shape.Tokens).Distinct())}: {left.Key.Reason}");
        }
    }

    private static string Us(double value) => FormattableString.Invariant($"{value:0.0}");
}
