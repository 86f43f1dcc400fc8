using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>What the checker says, tried with threads.</summary>
public sealed class ScheduleRunTests
{
    private const int MostStages = 9, MostMicroBatches = 12, MostReplicas = 3;

    public static TheoryData<TransferMode?, int> RingsAndReplicas
    {
        get
        {
            var all = new TheoryData<TransferMode?, int>();
            foreach (TransferMode? ring in ScheduleCheckerTests.Rings)
                for (int replicas = 1; replicas <= MostReplicas; replicas++) all.Add(ring, replicas);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(RingsAndReplicas))]
    public void Our_order_ends(TransferMode? ring, int replicas) => Assert.Equal(0, Stuck(ring, replicas, null));

    [Theory]
    [MemberData(nameof(RingsAndReplicas))]
    public void Send_first_on_all_stages_stops_with_as_many_micro_batches_as_stages_and_a_ring_that_waits(TransferMode? ring, int replicas)
    {
        // With 2 to 9 stages from 2 to 9 micro-batches on: 11 + 10 + ... + 4 of the points.
        int stuck = ring == TransferMode.Rendezvous ? Enumerable.Range(2, MostStages - 1).Sum(s => MostMicroBatches - s + 1) : 0;
        Assert.Equal(stuck, Stuck(ring, replicas, Orders.SendFirst));
    }

    [Theory]
    [MemberData(nameof(RingsAndReplicas))]
    public void Parity_without_ticks_stops_where_odd_stages_hold_all_micro_batches(TransferMode? ring, int replicas)
    {
        // So many odd stages send and receive, the last one's ring counted where it waits.
        int Holding(int stages) => ring is null ? 0 : ring == TransferMode.Eager ? (stages - 1) / 2 : stages / 2;
        Assert.Equal(Enumerable.Range(2, MostStages - 1).Sum(Holding), Stuck(ring, replicas, Orders.Parity));
    }

    [Fact]
    public void Leased_steps_end_after_planned_ones()
    {
        foreach (Schedule schedule in PipelineSchedule.InUse(new Layout(5, 2, 1), 5)) ScheduleRun.Ends(schedule);
    }

    [Theory]
    [InlineData(5, 2, 1)]
    [InlineData(7, 3, 2)]
    public void Parity_that_looks_only_at_its_own_stage_stops_with_few_micro_batches_in_many_stages(
        int stages, int microBatches, int replicas) =>
        Stops(Orders.Shape(stages, microBatches, replicas, TransferMode.Eager), Orders.OwnTicks);

    /// <summary>
    /// Runs an order with threads for 2 to 9 stages and 1 to 12 micro-batches: it ends where the checker says so, and else stops at the
    /// place and in the cycle that the checker names. Several at once: one that is stuck only waits.
    /// </summary>
    /// <returns>How many stopped.</returns>
    private static int Stuck(TransferMode? ring, int replicas, OrderRule? rule)
    {
        int stuck = 0;
        PipelineShape[] shapes = [.. from stages in Enumerable.Range(2, MostStages - 1)
                                     from microBatches in Enumerable.Range(1, MostMicroBatches)
                                     select Orders.Shape(stages, microBatches, replicas, ring)];
        Parallel.ForEach(shapes, new ParallelOptions { MaxDegreeOfParallelism = 6 }, shape =>
        {
            Schedule schedule = PipelineSchedule.Make(shape, rule);
            if (ScheduleChecker.Check(schedule) is not { } found)
            {
                ScheduleRun.Ends(schedule);
                return;
            }
            Interlocked.Increment(ref stuck);
            ScheduleRun.Stops(schedule, found);
        });
        return stuck;
    }

    private static void Stops(PipelineShape shape, OrderRule rule)
    {
        Schedule schedule = PipelineSchedule.Make(shape, rule);
        ScheduleDeadlock? found = ScheduleChecker.Check(schedule);
        Assert.NotNull(found);
        ScheduleRun.Stops(schedule, found);
    }
}
