using Xunit;
using Xunit.Abstractions;

namespace Troupe.Actors.Tests.Leases;

/// <summary>
/// Every interleaving of the lease's protocol in small worlds, breadth first. In a step all ranks use one strategy; all leave at the same
/// step; every request is served to its end; the only states without a next one are those where all is done, or an epoch was aborted.
/// </summary>
public sealed class LeaseExplorerTests(ITestOutputHelper output)
{
    private static readonly Wish[] s_none = [];

    private static Wish[] Ask(params (int Tokens, int StopAfter)[] wishes) => [.. wishes.Select(w => new Wish(w.Tokens, w.StopAfter))];

    public static TheoryData<string> Worlds => [.. s_worlds.Keys];

    private static readonly Dictionary<string, LeaseSetup> s_worlds = new(StringComparer.Ordinal)
    {
        ["1 stage x 1 replica, arrivals and ends"] = new(1, 1, 1, 2, 4, [Ask((5, 0), (3, 0), (6, 2))]),
        ["1 stage x 2 replicas"] = new(1, 2, 1, 2, 4, [Ask((3, 0), (2, 0)), Ask((3, 2))]),
        ["2 stages x 1 replica, 2 lanes"] = new(2, 1, 2, 1, 4, [Ask((4, 0), (4, 2), (2, 0))]),
        ["2 stages x 2 replicas, 2 lanes, an idle replica"] = new(2, 2, 2, 1, 4, [Ask((4, 0), (5, 0)), s_none]),
        ["2 stages x 2 replicas, 1 lane"] = new(2, 2, 1, 2, 2, [Ask((3, 0), (2, 0)), Ask((3, 2))]),
        ["2 stages x 2 replicas, 2 lanes"] = new(2, 2, 2, 1, 4, [Ask((3, 0), (2, 0)), Ask((3, 2))]),
        ["3 stages x 1 replica, 3 lanes"] = new(3, 1, 3, 1, 4, [Ask((4, 0), (3, 0), (4, 2))]),
        ["2 stages x 2 replicas, a rank is lost"] = new(2, 2, 2, 1, 4, [Ask((4, 0)), Ask((4, 2))]) { MayLose = true },
    };

    [Theory]
    [MemberData(nameof(Worlds))]
    public void All_ranks_run_the_same_steps_leave_together_and_nobody_waits_for_ever(string name)
    {
        Explored explored = Explore(s_worlds[name], reduce: true, most: 2_000_000);
        output.WriteLine($"{name}: {explored}");
        Assert.Null(explored.Violation);
        Assert.True(explored.MostLeased > 0, "no step ran under a lease");
    }

    [Fact]
    public void Taking_harmless_actions_first_leaves_out_no_end_state()
    {
        LeaseSetup small = new(2, 1, 2, 1, 3, [Ask((3, 0), (3, 2))]);
        Explored reduced = Explore(small, reduce: true, most: 2_000_000), full = Explore(small, reduce: false, most: 2_000_000);
        output.WriteLine($"reduced: {reduced}\nall: {full}");
        Assert.Null(full.Violation);
        Assert.True(full.States > reduced.States);
        Assert.Equal(full.Ends.Order(), reduced.Ends.Order());
    }

    [Fact]
    public void Ends_inside_a_lease_make_nobody_leave_it()
    {
        Explored explored = Explore(new(2, 1, 1, 3, 8, [Ask((5, 0), (3, 0), (5, 2))]), reduce: true, most: 2_000_000, all: true);
        output.WriteLine($"{explored}");
        Assert.Null(explored.Violation);
        Assert.Equal(0, explored.MostLeaves);
        Assert.True(explored.LeastLeased >= 3);
    }

    [Theory]
    [InlineData(nameof(Mistake.LeavesEarly))]
    [InlineData(nameof(Mistake.MissesVerdict))]
    [InlineData(nameof(Mistake.HeedsOnlyItself))]
    [InlineData(nameof(Mistake.OffersUnderLease))]
    [InlineData(nameof(Mistake.RouterForgets))]
    [InlineData(nameof(Mistake.SilentWhenDry))]
    [InlineData(nameof(Mistake.KeepsGivenUp))]
    [InlineData(nameof(Mistake.AnyNote))]
    public void A_mistake_in_the_protocol_is_found(string mistake)
    {
        LeaseSetup world = s_worlds["2 stages x 2 replicas, 1 lane"] with { Mistake = Enum.Parse<Mistake>(mistake) };
        if (world.Mistake is Mistake.AnyNote) world = new(1, 1, 1, 1, 2, [Ask((6, 2), (6, 0))]) { Mistake = Mistake.AnyNote };
        Explored explored = Explore(world, reduce: true, most: 2_000_000);
        output.WriteLine($"{mistake}: {explored}");
        Assert.NotNull(explored.Violation);
    }

    private sealed record Explored(
        int States, string? Violation, int MostLeased, int LeastLeased, int MostLeaves, IReadOnlySet<UInt128> Ends)
    {
        public override string ToString() => $"{States} states, {Ends.Count} ends, {LeastLeased} to {MostLeased} leased steps; "
            + (Violation ?? "no violation");
    }

    private static Explored Explore(LeaseSetup setup, bool reduce, int most, bool all = false)
    {
        var start = new LeaseWorld(setup);
        var arrivals = start.Actions(reduce).Where(a => all && a.Name.StartsWith("a request", StringComparison.Ordinal)).ToList();
        foreach (var (_, arrive) in arrivals)
            for (int i = 0; i < setup.Wishes[0].Length; i++) arrive(start);
        var seen = new Dictionary<UInt128, (UInt128 From, string Action)> { [start.Key()] = (default, "") };
        var open = new Queue<(LeaseWorld World, UInt128 Key)>([(start, start.Key())]);
        var ends = new HashSet<UInt128>();
        (int leased, int least, int leaves) = (0, int.MaxValue, 0);
        while (open.TryDequeue(out (LeaseWorld, UInt128) at))
        {
            (LeaseWorld world, UInt128 from) = at;
            try
            {
                var actions = world.Actions(reduce);
                if (actions.TrueForAll(a => a.Name == "abort"))
                {
                    if (world.Lost >= 0 && !world.Aborted) world.CheckWaits();
                    else if (world is { Finished: false, Aborted: false }) throw new LeaseViolation("nothing can happen any more");
                    ends.Add(from);
                    leased = Math.Max(leased, world.LeasedSteps);
                    if (world.Finished) least = Math.Min(least, world.LeasedSteps);
                }
                foreach (var (name, act) in actions)
                {
                    LeaseWorld next = world.Copy();
                    act(next);
                    leaves = Math.Max(leaves, next.LeavesAsked);
                    UInt128 key = next.Key();
                    if (seen.TryAdd(key, (from, name))) open.Enqueue((next, key));
                }
                if (seen.Count > most) throw new LeaseViolation($"more than {most} states");
            }
            catch (Exception e) when (e is LeaseViolation or InvalidOperationException or Xunit.Sdk.XunitException)
            {
                string story = $"{e.Message}\n{world}\nafter {string.Join("\n  ", Path(seen, from))}";
                return new Explored(seen.Count, story, leased, least, leaves, ends);
            }
        }
        return new Explored(seen.Count, null, leased, least, leaves, ends);
    }

    private static List<string> Path(Dictionary<UInt128, (UInt128 From, string Action)> seen, UInt128 at)
    {
        var path = new List<string>();
        for (; seen[at].Action.Length > 0; at = seen[at].From) path.Add(seen[at].Action);
        path.Reverse();
        return path;
    }
}
