using Troupe.Actors.Client;
using Troupe.Actors.Reports;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>Collects what a running cluster's steps did by asking again and again. Bounded: the oldest steps go first.</summary>
internal sealed class StepLog(ClusterClient client, TimeProvider clock)
{
    private const int Kept = 1024;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, ExplainReport> _steps = [];

    /// <summary>All steps that were seen, in order.</summary>
    public IReadOnlyList<ExplainReport> Steps
    {
        get
        {
            lock (_gate) return [.. _steps.Values];
        }
    }

    /// <summary>Asks until it is cancelled; <paramref name="changed"/> is called after each answer.</summary>
    public async Task FollowAsync(Action? changed, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                await LookAsync();
                changed?.Invoke();
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
        catch (ClusterException)
        {
            // The cluster has ended, or is too busy to answer: the run itself says which.
        }
    }

    /// <summary>Asks once.</summary>
    /// <returns>The whole status.</returns>
    public async Task<StatusReport> LookAsync()
    {
        StatusReport status = await client.StatusAsync();
        lock (_gate)
        {
            foreach (ExplainReport step in status.Recent) _steps[step.Step] = step;
            while (_steps.Count > Kept) _steps.Remove(_steps.Keys.First());
        }
        return status;
    }

    /// <summary>The reasons that strategies were picked for, the most frequent first.</summary>
    public static IReadOnlyList<WhyResult> Why(IEnumerable<ExplainReport> steps) =>
    [
        .. steps.GroupBy(s => (s.Strategy, s.Kind, s.Reason)).OrderByDescending(g => g.Count())
            .Select(g => new WhyResult(g.Key.Strategy, g.Key.Kind, g.Key.Reason, g.Count())),
    ];
}
