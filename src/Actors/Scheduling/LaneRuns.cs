using System.Collections.Immutable;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Scheduling;

/// <summary>What a lane of a replica is doing, as its scheduler knows.</summary>
public abstract record LaneRun
{
    /// <summary>Nothing: a step may be offered.</summary>
    public sealed record Free : LaneRun;

    /// <summary>A step was offered and has no result yet.</summary>
    public sealed record Offered : LaneRun;

    /// <summary>
    /// Goes on by itself under the lease that starts with <paramref name="Lease"/>; its last result was of <paramref name="Seen"/>. Once
    /// <paramref name="Dry"/>, it brings no more rows, and no result comes until the lease ends.
    /// </summary>
    public sealed record Leased(StepId Lease, StepId Seen, bool Dry) : LaneRun;
}

/// <summary>What a result means for its lane.</summary>
public enum LaneNews
{
    /// <summary>Nothing: the result belongs to no running step.</summary>
    Stale,

    /// <summary>The step is over, and the lane free.</summary>
    Freed,

    /// <summary>The step is over, and the lane goes on by itself.</summary>
    GoesOn,
}

/// <summary>
/// A scheduler's side of the lease, pure. A lane under a lease is free again when the lease has ended and the result of the lane's last
/// leased step is here; these come from different ranks, in either order.
/// </summary>
public sealed record LaneRuns(ImmutableArray<LaneRun> Lanes, LeaseEnded? Ended)
{
    /// <summary>All lanes free.</summary>
    public static LaneRuns Start(int lanes) => new([.. Enumerable.Repeat<LaneRun>(new LaneRun.Free(), lanes)], null);

    /// <summary>The lease that some lane is under; 0 for none.</summary>
    public StepId Lease => Lanes.OfType<LaneRun.Leased>().FirstOrDefault()?.Lease ?? default;

    /// <summary>Whether a lane may be offered.</summary>
    public bool IsFree(int lane) => Lanes[lane] is LaneRun.Free;

    /// <summary>A lane was offered.</summary>
    public LaneRuns Offer(int lane) => With(lane, new LaneRun.Offered());

    /// <summary>A lane's step is over.</summary>
    public LaneRuns Free(int lane) => With(lane, new LaneRun.Free());

    /// <summary>A result of a lane's step came.</summary>
    public (LaneRuns State, LaneNews News) On(StepResult result)
    {
        if (Lanes[result.Lane] is LaneRun.Free || (Lanes[result.Lane] is LaneRun.Leased at && (result.Lease != at.Lease || at.Dry)))
            return (this, LaneNews.Stale);
        if (result.Lease.Value == 0) return (With(result.Lane, new LaneRun.Free()), LaneNews.Freed);
        var run = new LaneRun.Leased(result.Lease, result.Step, result.Tokens.Count == 0);
        return IsOver(result.Lane, run, Ended) ? (With(result.Lane, new LaneRun.Free()), LaneNews.Freed)
            : (With(result.Lane, run), LaneNews.GoesOn);
    }

    /// <summary>The lease has ended: lanes whose last result is here are free.</summary>
    public (LaneRuns State, ImmutableList<int> Freed) On(LeaseEnded ended)
    {
        int[] over = [.. Enumerable.Range(0, Lanes.Length).Where(lane => Lanes[lane] is LaneRun.Leased run && IsOver(lane, run, ended))];
        LaneRuns state = this with { Ended = ended };
        foreach (int lane in over) state = state.With(lane, new LaneRun.Free());
        return (state, [.. over]);
    }

    private static bool IsOver(int lane, LaneRun.Leased run, LeaseEnded? ended) =>
        ended is not null && ended.First == run.Lease && (run.Dry || (lane < ended.Lasts.Count && run.Seen >= ended.Lasts[lane]));

    private LaneRuns With(int lane, LaneRun run) => this with { Lanes = Lanes.SetItem(lane, run) };
}
