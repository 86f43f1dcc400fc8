using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>A lease that is over, and how its steps went.</summary>
public sealed record LeaseReport(LeaseState Lease, LeaseEnded Ended);

/// <summary>What the state tooling can say of leases: the router plans none of their steps, but hears at the end how they went.</summary>
public sealed class LeaseLog
{
    /// <summary>Leases that are remembered.</summary>
    public const int Capacity = 256;

    private readonly Queue<LeaseReport> _over = new();
    private readonly SortedDictionary<string, long> _steps = new(StringComparer.Ordinal);

    /// <summary>The newest lease that is over.</summary>
    public LeaseReport? Last { get; private set; }

    /// <summary>Keeps a lease, in place of the oldest.</summary>
    public void Add(LeaseReport report)
    {
        Last = report;
        _over.Enqueue(report);
        if (_over.Count > Capacity) _over.Dequeue();
        string strategy = report.Lease.Grant.Strategy;
        _steps[strategy] = _steps.GetValueOrDefault(strategy) + report.Ended.Steps;
    }

    /// <summary>The newest step that the router knows of: planned, or run under a lease that is over.</summary>
    public long Newest(Decision? planned) => Math.Max(planned?.Plan.Step.Value ?? 0, Last?.Ended.Step.Value ?? 0);

    /// <summary>Steps by strategy, leased ones included.</summary>
    public IReadOnlyDictionary<string, long> StepsByStrategy(IReadOnlyDictionary<string, long> planned)
    {
        var all = new SortedDictionary<string, long>(_steps, StringComparer.Ordinal);
        foreach ((string strategy, long steps) in planned) all[strategy] = all.GetValueOrDefault(strategy) + steps;
        return all;
    }

    /// <summary>The answer for a step that ran, or runs, under a lease; null if there is none.</summary>
    public ExplainReport? Explain(StepId step, RouterState? state, DecisionLog decisions)
    {
        if (_over.LastOrDefault(r => r.Ended.First <= step && step <= r.Ended.Step) is { } over)
            return Report(step, over.Lease, decisions, $"{Since(over.Lease.Grant)}; it ended with {over.Ended.Step}", over.Ended);
        return state?.Lease is { } lease && lease.Grant.First <= step ? Report(step, lease, decisions, Since(lease.Grant), null) : null;
    }

    /// <summary>What holds now, for <c>status</c>.</summary>
    public static string Describe(RouterState state) =>
        state.Lease is { } lease ? $"{Since(lease.Grant)}: {lease.Grant.Strategy}, lanes {string.Join(", ", lease.Grant.Lanes)}, at most "
            + $"{lease.Grant.Capacity} rows a rank and {lease.Grant.Steps} steps"
        : state.LeaseSteps == 0 ? "none: leases are off (troupe.routing.lease-steps = 0)"
        : "none: every step is planned by the router";

    /// <summary>What a plan that carries a lease says about it.</summary>
    public static string Before(LeaseGrant grant) => $"planned; leased from {grant.First} on";

    private static string Since(LeaseGrant grant) => $"leased since {grant.First}";

    /// <summary>Times are means over the lease's steps: nobody keeps those of single ones.</summary>
    private static ExplainReport Report(StepId step, LeaseState lease, DecisionLog decisions, string says, LeaseEnded? ended)
    {
        Decision? granted = decisions.Find(new StepId(lease.Grant.First.Value - 1));
        return new ExplainReport(step.Value, -1, "decode", granted is null ? [] : [.. granted.Plan.Shares.Select(s => s.Rows)],
            lease.Grant.Strategy, lease.Choice.Reason, lease.Choice.PredictedUs, ended?.ExchangeUs, says)
        {
            Illegal = lease.Choice.Illegal,
        };
    }
}
