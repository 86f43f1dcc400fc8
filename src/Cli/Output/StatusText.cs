using Troupe.Actors.Reports;

namespace Troupe.Cli.Output;

/// <summary>What the state tooling answers, as plain text for people.</summary>
internal static class StatusText
{
    /// <summary>A cluster's status.</summary>
    public static void Write(TextWriter to, StatusReport status)
    {
        to.WriteLine(status.Ready
            ? $"ready: {status.Layout} over {status.Fabric}, epoch {status.Epoch}, step {status.Step}, {status.Model}"
            : $"not ready for {status.WaitingSeconds:0.0} s: waits for {status.WaitingFor}");
        to.WriteLine($"queue {status.Queue}, running {status.Running}, lease {status.Lease}, {status.Provider}");
        foreach (RankReport r in status.Ranks)
            to.WriteLine($"  rank {r.Rank}  stage {r.Stage} replica {r.Replica}  layers {r.Layers}  experts {r.Experts}  {r.State}  pid "
                + $"{r.Pid} at {r.Address}  "
                + $"{r.ResidentBytes >> 20} MiB  fabric {r.FabricBytesSent >> 10} KiB  messages {r.ActorBytesSent >> 10} KiB");
        foreach (SchedulerReport s in status.Schedulers)
            to.WriteLine($"  replica {s.Replica}  {s.Queued} queued, {s.Running} running, {s.Finished} finished, {s.KvBlocksFree} of "
                + $"{s.KvBlocks} KV blocks free");
        foreach (ExplainReport step in status.Recent) Write(to, step, "  ");
    }

    /// <summary>A cluster's members.</summary>
    public static void Write(TextWriter to, IEnumerable<MemberReport> members)
    {
        foreach (MemberReport m in members)
            to.WriteLine($"{m.Address}  {string.Join(",", m.Roles)}  {m.Status}{(m.Reachable ? "" : " (unreachable)")}  "
                + $"{(m.Rank is { } rank ? $"rank {rank}" : "-")}  pid {m.Pid?.ToString() ?? "?"}  {m.Provider}");
    }

    /// <summary>Why a step used its strategy.</summary>
    public static void Write(TextWriter to, ExplainReport step, string indent = "") =>
        to.WriteLine($"{indent}step {step.Step}  {step.Kind}  rows {string.Join("+", step.Rows)}  {step.Strategy}  "
            + $"predicted {string.Join(", ", step.PredictedUs.Select(p => $"{p.Key} {p.Value:0} µs"))}  "
            + $"measured {(step.MeasuredUs is { } us ? $"{us:0} µs" : "not yet")}  because: {step.Reason}");
}
