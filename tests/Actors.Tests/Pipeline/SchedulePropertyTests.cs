using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

public sealed class SchedulePropertyTests
{
    [Fact]
    public void The_checker_says_free_if_and_only_if_a_run_ends_and_knows_where_each_rank_stops()
    {
        Random random = Seed.For(nameof(The_checker_says_free_if_and_only_if_a_run_ends_and_knows_where_each_rank_stops));
        const int runs = 4000;
        int free = 0;
        Prop.ForAll(Cases().ToArbitrary(), made =>
        {
            Schedule schedule = made.Schedule();
            Operation?[] stops = new ScheduleSimulator(schedule).Run();
            ScheduleDeadlock? found = ScheduleChecker.Check(schedule);
            if (found is null) free++;
            if (found is null) return stops.All(stop => stop is null);
            var said = found.Stuck.ToDictionary(wait => wait.Rank.Value, wait => wait.At);
            return stops.Index().All(stop => stop.Item is { } at ? said.TryGetValue(stop.Index, out Operation its) && its == at
                : !said.ContainsKey(stop.Index)) && IsCycle(found);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(runs).WithReplay((ulong)random.NextInt64(), (ulong)random.NextInt64() | 1));
        // A test of one answer only would be none.
        Assert.InRange(free, runs / 10, runs * 9 / 10);
    }

    [Fact]
    public void Threads_stop_where_the_checker_says_whatever_their_programs()
    {
        Random random = Seed.For(nameof(Threads_stop_where_the_checker_says_whatever_their_programs));
        // Real ranks cannot send what they do not have; and messages on a ring that waits bear no names, they have to be in order.
        var made = new List<Schedule>();
        Prop.ForAll(Cases().Where(c => c.Shape.Ring != TransferMode.Rendezvous).ToArbitrary(), c =>
        {
            Schedule schedule = c.Schedule();
            if (new ScheduleSimulator(schedule).MakesBeforeItSends()) made.Add(schedule);
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay((ulong)random.NextInt64(), (ulong)random.NextInt64() | 1));
        Schedule[] free = [.. made.Where(schedule => ScheduleChecker.Check(schedule) is null).Take(12)];
        Schedule[] stuck = [.. made.Where(schedule => ScheduleChecker.Check(schedule) is not null).Take(4)];
        Assert.True(free.Length >= 4 && stuck.Length == 4, $"drew {free.Length} free and {stuck.Length} stuck ones");
        foreach (Schedule schedule in free) ScheduleRun.Ends(schedule);
        foreach (Schedule schedule in stuck) ScheduleRun.Stops(schedule, ScheduleChecker.Check(schedule)!);
    }

    private static bool IsCycle(ScheduleDeadlock found) => found.Cycle is [{ Never: true }]
        || found.Cycle.Index().All(wait => wait.Item.On == found.Cycle[(wait.Index + 1) % found.Cycle.Count].Rank && !wait.Item.Never);

    private static Gen<Case> Cases() =>
        from stages in Gen.Choose(1, 5)
        from replicas in Gen.Choose(1, 2)
        from tensor in Gen.Frequency((4, Gen.Constant(1)), (1, Gen.Constant(2)))
        from microBatches in Gen.Choose(1, 5)
        from steps in Gen.Choose(1, 7)
        from rows in Gen.Elements(TransferMode.Rendezvous, TransferMode.Rendezvous, TransferMode.Eager)
        from ring in Gen.Elements<TransferMode?>(null, TransferMode.Eager, TransferMode.Rendezvous)
        from orders in Gen.ListOf(Gen.Choose(0, 2), 20)
        from moves in Gen.ListOf(Gen.Choose(0, 1_000_000)).Resize(6)
        select new Case(new PipelineShape(new Layout(stages, replicas, tensor), microBatches, steps) { Rows = rows, Ring = ring },
            [.. orders], [.. moves]);

    /// <summary>Ranks whose programs start as good ones, each with an order of its own, and then have some operations moved or left out.
    /// </summary>
    private sealed record Case(PipelineShape Shape, ImmutableList<int> Orders, ImmutableList<int> Moves)
    {
        public Schedule Schedule()
        {
            Layout layout = Shape.Layout;
            List<Operation>[] programs =
            [
                .. Enumerable.Range(0, layout.Ranks).Select(rank => PipelineSchedule.Program(Shape, layout.Stages * rank / layout.Ranks,
                    (_, _, done, _, _) => (TransferOrder)Orders[(int)(rank * 7 + done.Value) % Orders.Count]).ToList()),
            ];
            foreach (int move in Moves)
            {
                List<Operation> program = programs[move % programs.Length];
                if (program.Count == 0) continue;
                int from = move / 16 % program.Count, to = (from + 1 + move / 1024 % 4) % program.Count;
                Operation op = program[from];
                program.RemoveAt(from);
                if (move % 11 > 0) program.Insert(to, op);
            }
            return new Schedule(Shape, programs);
        }
    }
}
