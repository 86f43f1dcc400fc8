using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

public sealed class ScheduleCheckerTests
{
    public static readonly TransferMode?[] Rings = [null, TransferMode.Eager, TransferMode.Rendezvous];

    [Fact]
    public void Our_order_ends_for_all_stages_micro_batches_replicas_and_rings()
    {
        foreach (PipelineShape shape in Shapes())
            Assert.True(ScheduleChecker.Check(PipelineSchedule.Make(shape)) is null, Why(shape, null));
    }

    [Fact]
    public void Leased_steps_after_planned_ones_end_as_well_because_the_ring_is_eager()
    {
        foreach (PipelineShape shape in Shapes())
        {
            PipelineShape leased = shape with { Leased = shape.Planned };
            bool frees = shape.Ring != TransferMode.Rendezvous || shape.MicroBatches < shape.Layout.Stages;
            Assert.True(ScheduleChecker.Check(PipelineSchedule.Make(leased)) is null == frees, Why(leased, null));
        }
    }

    [Fact]
    public void Send_first_on_all_stages_never_ends_once_as_many_micro_batches_as_stages_are_under_way_to_a_ring_that_waits()
    {
        foreach (PipelineShape shape in Shapes())
        {
            bool frees = shape.Ring != TransferMode.Rendezvous || shape.MicroBatches < shape.Layout.Stages;
            ScheduleDeadlock? found = ScheduleChecker.Check(PipelineSchedule.Make(shape, Orders.SendFirst));
            Assert.True(found is null == frees, Why(shape, found));
            // Every stage holds a step that the next one does not take.
            if (found is null) continue;
            Assert.Equal(Enumerable.Range(0, shape.Layout.Stages),
                found.Cycle.Select(wait => found.World.Place(wait.Rank).Stage).Order());
            Assert.All(found.Cycle, wait => Assert.True(wait.At.Kind is OperationKind.Send or OperationKind.SendRing));
        }
    }

    [Fact]
    public void Parity_without_ticks_starves_the_ring_where_odd_stages_hold_back_what_they_wait_for()
    {
        foreach (PipelineShape shape in Shapes())
        {
            // Odd stages that send and receive: each holds a step and waits for the next one. With an eager ring the last stage holds none.
            int last = shape.Layout.Stages - 1;
            int holding = shape.Ring is null ? 0 : shape.Ring == TransferMode.Eager ? last / 2 : (last + 1) / 2;
            ScheduleDeadlock? found = ScheduleChecker.Check(PipelineSchedule.Make(shape, Orders.Parity));
            Assert.True(found is null == shape.MicroBatches > holding, Why(shape, found));
            // To look only at one's own step helps with one micro-batch, not with more.
            found = ScheduleChecker.Check(PipelineSchedule.Make(shape, Orders.OwnTicks));
            Assert.True(found is null == (shape.MicroBatches == 1 || shape.MicroBatches > holding), Why(shape, found));
        }
    }

    [Fact]
    public void A_rank_that_does_not_know_the_next_step_yet_sends_first_and_does_no_harm()
    {
        Random random = Seed.For(nameof(A_rank_that_does_not_know_the_next_step_yet_sends_first_and_does_no_harm));
        for (int run = 0; run < 300; run++)
        {
            PipelineShape shape = Orders.Shape(random.Next(2, 10), random.Next(1, 13), random.Next(1, 4), TransferMode.Eager);
            var schedule = new Schedule(shape, [.. Enumerable.Range(0, shape.Layout.Ranks).Select(rank => PipelineSchedule.Program(shape,
                rank / shape.Layout.Replicas, (stage, stages, done, next, after) => random.Next(2) == 0
                    ? TransferOrder.SendOnly
                    : PipelineSchedule.Order(stage, stages, done, next, after)))]);
            Assert.True(ScheduleChecker.Check(schedule) is null, Why(shape, null));
        }
    }

    [Fact]
    public void The_cycle_is_named_from_send_to_receive()
    {
        PipelineShape shape = Orders.Shape(2, 2, 1, TransferMode.Rendezvous);
        Assert.Equal("stage 0 sends step 2 -> stage 1 receives step 2 after it returns the tokens of step 1 -> stage 0 takes the tokens of "
            + "step 1 after it sends step 2", ScheduleChecker.Check(PipelineSchedule.Make(shape, Orders.SendFirst))!.ToString());
        Schedule wide = PipelineSchedule.Make(Orders.Shape(3, 1, 2, TransferMode.Eager), Orders.Parity);
        Assert.Equal("rank 0 (stage 0) takes the tokens of step 1 -> rank 4 (stage 2) returns the tokens of step 1 after it receives "
            + "step 1 -> rank 2 (stage 1) sends step 1 after it receives step 2 -> rank 0 (stage 0) sends step 2 after it takes the "
            + "tokens of step 1", ScheduleChecker.Check(wide)!.ToString());
    }

    [Fact]
    public void Who_leaves_an_operation_out_is_named_and_so_is_a_group_that_disagrees()
    {
        var shape = new PipelineShape(new Layout(2, 2, 1), 1, 2) { Ring = null };
        Schedule good = PipelineSchedule.Make(shape);
        Assert.Equal("rank 0 (stage 0) sends step 2 -> rank 2 (stage 1) never receives step 2",
            Without(2, new Operation(OperationKind.Receive, new StepId(2))));
        Assert.Equal("rank 3 (stage 1) combines step 1 -> rank 2 (stage 1) never combines step 1",
            Without(2, new Operation(OperationKind.Combine, new StepId(1)), new Operation(OperationKind.Compute, new StepId(2))));
        Assert.Equal("rank 0 (stage 0) dispatches step 1 -> rank 0 (stage 0) never computes step 1",
            Without(0, new Operation(OperationKind.Compute, new StepId(1))));
        // Replica 0 goes through the steps in one order, replica 1 in the other.
        Operation[] turned = [.. good.Programs[0].OrderByDescending(op => op.Step)];
        Assert.Equal("rank 0 (stage 0) dispatches step 1 -> rank 1 (stage 0) dispatches step 1 after it dispatches step 2 -> "
            + "rank 0 (stage 0) dispatches step 2 after it dispatches step 1",
            ScheduleChecker.Check(new Schedule(shape, [good.Programs[0], turned, .. good.Programs.Skip(2)]))!.ToString());

        string Without(int rank, params Operation[] left) => ScheduleChecker.Check(new Schedule(shape,
            [.. good.Programs.Select((program, i) => i == rank ? [.. program.Except(left)] : program)]))!.ToString();
    }

    [Fact]
    public void Tensor_ranks_whose_sums_come_in_different_orders_are_named()
    {
        var shape = new PipelineShape(new Layout(1, 2, 2), 2, 2) { Ring = null };
        Schedule good = PipelineSchedule.Make(shape);
        Operation[] turned = [.. good.Programs[0].OrderBy(op => op.Kind != OperationKind.Compute).ThenByDescending(op => op.Step)];
        Assert.Equal("rank 0 (stage 0) computes step 1 -> rank 1 (stage 0) computes step 1 after it computes step 2 -> "
            + "rank 0 (stage 0) computes step 2 after it computes step 1",
            ScheduleChecker.Check(new Schedule(shape, [good.Programs[0], turned, .. good.Programs.Skip(2)]))!.ToString());
        // Replicas have no sums in common: they meet for the experts only.
        Operation[] late = [.. good.Programs[0].Where(op => op.Kind == OperationKind.Compute).Reverse(),
            .. good.Programs[0].Where(op => op.Kind != OperationKind.Compute)];
        Assert.Null(ScheduleChecker.Check(new Schedule(shape with { Layout = new Layout(1, 2, 1) }, [good.Programs[0], late])));
    }

    [Fact]
    public void What_a_cluster_may_come_to_run_ends_from_one_micro_batch_to_as_many_as_lanes()
    {
        Schedule[] schedules = [.. PipelineSchedule.InUse(new Layout(6, 3, 2), lanes: 6)];
        Assert.Equal([1, 2, 3, 4, 5, 6], schedules.Select(schedule => schedule.Shape.MicroBatches).Distinct());
        Assert.Equal(6, schedules.Count(schedule => schedule.Shape.Rows == TransferMode.Rendezvous));
        Assert.Equal(new Layout(6, 3, 2), schedules[^1].Shape.Layout);
        Assert.All(schedules, schedule => Assert.Null(ScheduleChecker.Problem(schedule)));
        Assert.All(schedules, schedule => Assert.True(schedule.Shape is { Leased: > 0, Planned: > 0, Ring: TransferMode.Eager }));
    }

    [Fact]
    public void A_cluster_does_not_start_with_an_order_that_would_never_end_and_names_it_in_one_line()
    {
        TroupeOptions options = TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", ""))) with { Layout = new Layout(3, 2, 1) };
        ModelSource model = ModelSource.FromFolder(Repository.At("models", "sample"));
        Schedule[] schedules =
        [
            .. PipelineSchedule.InUse(options.Layout, lanes: 3),
            PipelineSchedule.Make(Orders.Shape(3, 3, 2, TransferMode.Rendezvous), Orders.SendFirst),
        ];
        Assert.NotNull(ClusterPlan.Make(options, model, schedules[..^1]));
        string line = Assert.Throws<ConfigException>(() => ClusterPlan.Make(options, model, schedules)).Message;
        Assert.Contains("3 stages x 2 replicas x 1 tensor ranks, 3 micro-batches", line, StringComparison.Ordinal);
        Assert.Contains("rank 0 (stage 0) sends step 3 -> rank 2 (stage 1) receives step 3 after it sends step 2 -> rank 4 (stage 2)", line,
            StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        // A layout that cannot be has no schedules to look at.
        Assert.Contains("stages must be at least 1", Assert.Throws<ConfigException>(
            () => ClusterPlan.Make(options with { Layout = new Layout(0, 1, 1) }, model)).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<PipelineShape> Shapes() =>
        from stages in Enumerable.Range(2, 8)
        from microBatches in Enumerable.Range(1, 12)
        from replicas in Enumerable.Range(1, 3)
        from ring in Rings
        select Orders.Shape(stages, microBatches, replicas, ring);

    private static string Why(PipelineShape shape, ScheduleDeadlock? found) => $"{shape}: {(found is null ? "no cycle" : found)}";
}
