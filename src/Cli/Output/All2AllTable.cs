namespace Troupe.Cli.Output;

/// <summary>Figures of strategies for people: a table a shape, the cheapest marked.</summary>
internal static class All2AllTable
{
    /// <summary>Writes all of it.</summary>
    public static void Write(Shell shell, All2AllResult result)
    {
        foreach (IGrouping<string, All2AllFigures> shape in result.Results.GroupBy(Title, StringComparer.Ordinal))
        {
            shell.Out.WriteLine(shape.Key);
            string[] columns = ["strategy", "dispatch", "combine", "total", "total p99", "KB to others", "B allocated"];
            var grid = new Grid([.. columns, "cheapest"]) { Numbers = [.. columns[1..]] };
            foreach (All2AllFigures f in shape)
            {
                grid.Row(f.Strategy, Us(f.DispatchUs.P50), Us(f.CombineUs.P50), Us(f.TotalUs.P50), Us(f.TotalUs.P99),
                    FormattableString.Invariant($"{f.BytesToOthers / 1000:0.0}"), FormattableString.Invariant($"{f.AllocatedBytes:0.##}"),
                    f.Cheapest ? "*" : "");
            }
            grid.WriteTo(shell);
            shell.Out.WriteLine();
        }
        foreach (All2AllSkipped skipped in result.Skipped)
        {
            shell.Out.WriteLine($"not measured: {skipped.Strategy}, {skipped.Ranks} ranks, {skipped.Fabric}, T={skipped.Tokens}: "
                + skipped.Reason);
        }
        shell.Out.WriteLine($"µs, medians over {result.Rounds} rounds of at most {result.MaxIterations} iterations or {result.BudgetMs} ms "
            + "a loop; dispatch, combine and total are p50. First and last iterations were checked.");
    }

    private static string Title(All2AllFigures f) => $"{f.Ranks} ranks{(f.Hosts > 1 ? $" on {f.Hosts} hosts" : "")}, "
        + $"{f.Fabric}, {f.Rows} rows, {(f.Zipf == 0 ? "uniform" : $"Zipf({f.Zipf})")}: T={f.Tokens} H={f.Hidden} E={f.Experts} K={f.TopK}";

    private static string Us(double value) => FormattableString.Invariant($"{value:0.0}");
}
