using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>
/// Proves that a schedule ends, before it runs; pure. Ranks have no choices: whatever the timing, each comes as far in its program as the
/// waits between operations let it. So it ends if and only if the graph of these waits has no cycle, and otherwise always stops at the same
/// place.
/// </summary>
public static class ScheduleChecker
{
    /// <summary>Null if every rank comes to the end of its program; else where they stop.</summary>
    public static ScheduleDeadlock? Check(Schedule schedule)
    {
        var graph = new ScheduleGraph(schedule);
        graph.Run();
        World world = schedule.World;
        var stuck = new ScheduleWait?[world.Size];
        foreach (RankId rank in world.Ranks) stuck[rank.Value] = graph.WaitOf(rank);
        return Array.Find(stuck, wait => wait is not null) is not { } first ? null
            : new ScheduleDeadlock(world, [.. stuck.OfType<ScheduleWait>()], CycleFrom(first, stuck));
    }

    /// <summary>
    /// Why ranks with these programs must not start, in one line, or null.
    /// </summary>
    public static string? Problem(Schedule schedule) => Check(schedule) is not { } deadlock ? null
        : $"{schedule.Shape}: sends and receives would wait for each other for ever: {deadlock}; use --stages 1 and report this order, a "
            + "defect in Troupe";

    /// <summary>Whoever is stuck waits for one that is stuck; so to follow the waits ends in a cycle.</summary>
    private static List<ScheduleWait> CycleFrom(ScheduleWait first, ScheduleWait?[] stuck)
    {
        var path = new List<ScheduleWait>();
        for (ScheduleWait wait = first; ; wait = stuck[wait.On.Value]!)
        {
            if (wait.Never) return [wait];
            int seen = path.FindIndex(earlier => earlier.Rank == wait.Rank);
            if (seen >= 0) return path[seen..];
            path.Add(wait);
        }
    }
}
