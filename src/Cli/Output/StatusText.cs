using Troupe.Actors.Reports;

namespace Troupe.Cli.Output;

/// <summary>What the state tooling answers, for people: tables at a terminal, aligned text in a pipe.</summary>
internal static class StatusText
{
    /// <summary>A cluster's status.</summary>
    public static void Write(Shell shell, StatusReport status)
    {
        shell.Out.WriteLine(status.Ready
            ? $"ready: {status.Layout} over {status.Fabric}, epoch {status.Epoch}, step {status.Step}, {status.Model}"
            : $"not ready for {status.WaitingSeconds:0.0} s: waits for {status.WaitingFor}");
        shell.Out.WriteLine($"queue {status.Queue}, running {status.Running}, lease {status.Lease}, {status.Provider}");
        foreach ((string strategy, string why) in status.OutOfUse) shell.Out.WriteLine($"{strategy} is out of use: {why}");
        if (status.Links is { } links) shell.Out.WriteLine($"links, as measured at the start: {links}");
        if (status.Ranks.Count > 0) StatusTables.Ranks(status).WriteTo(shell);
        foreach (SchedulerReport s in status.Schedulers)
            shell.Out.WriteLine($"replica {s.Replica}: {s.Queued} queued, {s.Running} running, {s.Finished} finished, "
                + $"{s.KvBlocksFree} of {s.KvBlocks} KV blocks free"
                + (s.MetadataRoundUs is { } round ? $", a plan comes {round:0} µs after its offer" : ""));
        if (status.Recent.Count > 0) StatusTables.Steps(status.Recent).WriteTo(shell);
    }

    /// <summary>A cluster's members.</summary>
    public static void Write(Shell shell, IEnumerable<MemberReport> members) => StatusTables.Members(members).WriteTo(shell);

    /// <summary>Why a step used its strategy, what the others were predicted to take or why they were illegal, and what the last steps
    /// add up to where that was asked for.</summary>
    public static void Write(Shell shell, ExplainReport step)
    {
        string rows = string.Join('+', step.Rows);
        shell.Out.WriteLine($"step {step.Step} ({step.Kind}, {rows} rows by replica) used {step.Strategy}: {step.Reason}");
        foreach ((string name, double us) in step.PredictedUs.OrderBy(p => p.Value))
            shell.Out.WriteLine($"  {name}: predicted {us:0} µs");
        foreach ((string name, string why) in step.Illegal)
            shell.Out.WriteLine($"  {name}: illegal, {why}");
        shell.Out.WriteLine($"  measured: {(step.MeasuredUs is { } measured ? $"{measured:0} µs" : "not yet")}; lease: {step.Lease}");
        if (step.Summary is { } summary) Write(shell, summary);
    }

    private static void Write(Shell shell, RoutingSummary summary)
    {
        shell.Out.WriteLine();
        shell.Out.WriteLine($"the last {summary.Steps} steps:");
        StatusTables.Strategies(summary.Strategies).WriteTo(shell);
        shell.Out.WriteLine(summary.Regret is { } r
            ? $"regret: {r.ChosenUs:0} µs picked, {r.BestUs:0} µs the best that was measured ({r.Ratio:0.00}x), "
                + $"over {r.Steps} steps of {r.Shapes} shapes"
            : "regret: not known, no alternative was measured; troupe.routing.explore lets a share of steps try one");
    }
}
