using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>What the checker says, tried with threads.</summary>
public sealed class ScheduleRunTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(TransferMode.Eager)]
    [InlineData(TransferMode.Rendezvous)]
    public void Our_order_ends(TransferMode? ring)
    {
        // With 1, 2 or 3 replicas in turn; the checker looks at all.
        for (int stages = 2; stages <= 9; stages++)
            for (int microBatches = 1; microBatches <= 12; microBatches++)
                ScheduleRun.Ends(PipelineSchedule.Make(Orders.Shape(stages, microBatches, 1 + (stages + microBatches) % 3, ring)));
    }

    [Fact]
    public void Leased_steps_end_after_planned_ones()
    {
        foreach (Schedule schedule in PipelineSchedule.InUse(new Layout(5, 2, 1), 5)) ScheduleRun.Ends(schedule);
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(4, 3)]
    [InlineData(7, 6)]
    public void Send_first_ends_with_fewer_micro_batches_than_stages(int stages, int microBatches) =>
        ScheduleRun.Ends(Free(Orders.Shape(stages, microBatches, 1, TransferMode.Rendezvous), Orders.SendFirst));

    [Theory]
    [InlineData(2, 2, 1)]
    [InlineData(4, 4, 2)]
    [InlineData(9, 12, 1)]
    public void Send_first_stops_with_as_many_micro_batches_as_stages(int stages, int microBatches, int replicas) =>
        Stops(Orders.Shape(stages, microBatches, replicas, TransferMode.Rendezvous), Orders.SendFirst);

    [Theory]
    [InlineData(2, 1, 1, TransferMode.Rendezvous)]
    [InlineData(3, 1, 3, TransferMode.Eager)]
    [InlineData(6, 2, 1, TransferMode.Eager)]
    public void Parity_without_ticks_stops(int stages, int microBatches, int replicas, TransferMode ring) =>
        Stops(Orders.Shape(stages, microBatches, replicas, ring), Orders.Parity);

    [Theory]
    [InlineData(5, 2, 1)]
    [InlineData(7, 3, 2)]
    public void Parity_that_looks_only_at_its_own_stage_stops_with_few_micro_batches_in_many_stages(
        int stages, int microBatches, int replicas) =>
        Stops(Orders.Shape(stages, microBatches, replicas, TransferMode.Eager), Orders.OwnTicks);

    private static Schedule Free(PipelineShape shape, OrderRule rule)
    {
        Schedule schedule = PipelineSchedule.Make(shape, rule);
        Assert.Null(ScheduleChecker.Check(schedule));
        return schedule;
    }

    private static void Stops(PipelineShape shape, OrderRule rule)
    {
        Schedule schedule = PipelineSchedule.Make(shape, rule);
        ScheduleDeadlock? found = ScheduleChecker.Check(schedule);
        Assert.NotNull(found);
        ScheduleRun.Stops(schedule, found);
    }
}
