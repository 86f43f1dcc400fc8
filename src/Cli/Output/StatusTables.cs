using Troupe.Actors.Reports;

namespace Troupe.Cli.Output;

/// <summary>What the state tooling answers, as tables.</summary>
internal static class StatusTables
{
    private const string Waiting = "...";

    /// <summary>Who holds what, and where each rank is.</summary>
    public static Grid Ranks(StatusReport status)
    {
        // Most layouts have one tensor rank, and lines are long.
        bool split = status.Ranks.Any(r => r.Tensor > 0);
        var grid = new Grid(["rank", "stage", "replica", .. Split("tensor"), "layers", "experts", "state", "pid", "address", "memory MiB",
            "fabric KiB", "messages KiB"])
        {
            Numbers = ["rank", "stage", "replica", "tensor", "pid", "memory MiB", "fabric KiB", "messages KiB"],
        };
        foreach (RankReport r in status.Ranks)
            grid.Row([$"{r.Rank}", $"{r.Stage}", $"{r.Replica}", .. Split($"{r.Tensor}"), r.Layers, r.Experts, r.State, $"{r.Pid}",
                r.Address, $"{r.ResidentBytes >> 20}", $"{r.FabricBytesSent >> 10}", $"{r.ActorBytesSent >> 10}"]);
        return grid;

        string[] Split(string value) => split ? [value] : [];
    }

    /// <summary>What steps did, and why so.</summary>
    public static Grid Steps(IEnumerable<ExplainReport> steps)
    {
        var grid = new Grid("step", "kind", "rows", "strategy", "predicted µs", "measured µs", "why")
        {
            Numbers = ["step", "predicted µs", "measured µs"],
            Clipped = "why",
        };
        foreach (ExplainReport s in steps)
            grid.Row($"{s.Step}", s.Kind, string.Join('+', s.Rows), s.Strategy, s.PredictedUs.TryGetValue(s.Strategy, out double us)
                ? $"{us:0}" : Waiting,
                s.MeasuredUs is { } measured ? $"{measured:0}" : Waiting, s.Reason);
        return grid;
    }

    /// <summary>How often each strategy was used, and how well it was predicted.</summary>
    public static Grid Strategies(IEnumerable<StrategySummary> strategies)
    {
        var grid = new Grid("strategy", "steps", "explored", "predicted µs", "measured µs")
        {
            Numbers = ["steps", "explored", "predicted µs", "measured µs"],
        };
        foreach (StrategySummary s in strategies)
            grid.Row(s.Strategy, $"{s.Steps}", $"{s.Explored}", s.MeanPredictedUs is { } predicted ? $"{predicted:0}" : Waiting,
                s.MeanMeasuredUs is { } measured ? $"{measured:0}" : Waiting);
        return grid;
    }

    /// <summary>The members of the cluster.</summary>
    public static Grid Members(IEnumerable<MemberReport> members)
    {
        var grid = new Grid("address", "roles", "status", "rank", "pid", "provider") { Numbers = ["rank", "pid"] };
        foreach (MemberReport m in members)
            grid.Row(m.Address, string.Join(',', m.Roles), m.Status + (m.Reachable ? "" : ", unreachable"), m.Rank is { } rank ? $"{rank}"
                : "-",
                m.Pid is { } pid ? $"{pid}" : "?", m.Provider);
        return grid;
    }
}
