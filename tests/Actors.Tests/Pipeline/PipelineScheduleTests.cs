using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

public sealed class PipelineScheduleTests
{
    [Theory]
    [InlineData(0, TransferOrder.SendFirst)]
    [InlineData(1, TransferOrder.ReceiveFirst)]
    [InlineData(2, TransferOrder.SendFirst)]
    public void Even_stages_send_first_and_odd_ones_receive_first(int stage, TransferOrder order)
    {
        Assert.Equal(order, PipelineSchedule.Order(stage, 3, new StepId(7), new StepId(8), nextAfter: new StepId(5)));
        Assert.Equal(order, PipelineSchedule.Order(stage, 3, new StepId(7), new StepId(8), nextAfter: default));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_stage_receives_first_what_depends_on_a_step_that_is_still_under_way(int stage)
    {
        foreach (long after in (long[])[6, 7])
            Assert.Equal(TransferOrder.SendOnly, PipelineSchedule.Order(stage, 3, new StepId(7), new StepId(8), new StepId(after)));
        Assert.Equal(TransferOrder.SendOnly, PipelineSchedule.Order(stage, 3, new StepId(7), null, default));
    }

    [Fact]
    public void The_programs_read_as_the_step_runner_runs()
    {
        Schedule schedule = PipelineSchedule.Make(new PipelineShape(new Layout(3, 2, 1), 3, Planned: 4, Leased: 1));
        Assert.Equal("C1 S1 C2 S2 C3 S3 T1 C4 S4 T2 C5 S5 T3 T4 T5", Text(schedule, 0));
        // Odd: the next step comes first, where it depends on none or on one that is back; but not a leased one.
        Assert.Equal("R1 C1 R2 S1 C2 R3 S2 C3 R4 S3 C4 S4 R5 C5 S5", Text(schedule, 2));
        Assert.Equal("R1 C1 B1 R2 C2 B2 R3 C3 B3 R4 C4 B4 R5 C5 B5", Text(schedule, 4));
        Assert.Same(schedule.Programs[2], schedule.Programs[3]);
    }

    [Fact]
    public void Where_the_ring_waits_its_tokens_are_taken_in_the_tick_in_which_they_are_sent()
    {
        Schedule schedule = PipelineSchedule.Make(
            new PipelineShape(new Layout(2, 1, 1), 4, Planned: 4) { Ring = TransferMode.Rendezvous });
        Assert.Equal("C1 S1 C2 S2 T1 C3 S3 T2 C4 S4 T3 T4", Text(schedule, 0));
        Assert.Equal("R1 C1 R2 B1 C2 R3 B2 C3 R4 B3 C4 B4", Text(schedule, 1));
    }

    [Fact]
    public void Without_a_ring_nothing_goes_back_and_one_stage_sends_nothing()
    {
        Schedule chain = PipelineSchedule.Make(new PipelineShape(new Layout(2, 1, 1), 1, Planned: 2) { Ring = null });
        Assert.Equal("C1 S1 C2 S2", Text(chain, 0));
        Assert.Equal("R1 C1 R2 C2", Text(chain, 1));
        Schedule alone = PipelineSchedule.Make(new PipelineShape(new Layout(1, 2, 1), 1, Planned: 2));
        Assert.Equal("C1 C2", Text(alone, 0));
    }

    [Fact]
    public void A_schedule_has_a_program_for_every_rank_of_things_that_its_stage_does_once()
    {
        var shape = new PipelineShape(new Layout(2, 1, 1), 1, 1) { Ring = null };
        Operation[] none = [];
        Assert.Contains("got 1 for 2 ranks", Error([none]), StringComparison.Ordinal);
        Assert.Contains("rank 0 receives step 1", Error([[new(OperationKind.Receive, new StepId(1))], none]), StringComparison.Ordinal);
        Assert.Contains("rank 1 sends step 1", Error([none, [new(OperationKind.Send, new StepId(1))]]), StringComparison.Ordinal);
        Assert.Contains("returns the tokens", Error([none, [new(OperationKind.SendRing, new StepId(1))]]), StringComparison.Ordinal);
        Assert.Contains("computes step 2", Error([[new(OperationKind.Compute, new StepId(2))], none]), StringComparison.Ordinal);
        var twice = new Operation(OperationKind.Compute, new StepId(1));
        Assert.Contains("computes step 1: twice", Error([[twice, twice], none]), StringComparison.Ordinal);

        string Error(IReadOnlyList<IReadOnlyList<Operation>> programs) =>
            Assert.Throws<ArgumentException>(() => new Schedule(shape, programs)).Message;
    }

    /// <summary>T takes tokens, R receives, C computes with dispatch and combine, S sends, B gives tokens back.</summary>
    private static string Text(Schedule schedule, int rank)
    {
        IReadOnlyList<Operation> program = schedule.Programs[rank];
        for (int i = 0; i < program.Count; i++)
        {
            if (program[i].Kind != OperationKind.Compute) continue;
            Assert.Equal(new Operation(OperationKind.Dispatch, program[i].Step), program[i + 1]);
            Assert.Equal(new Operation(OperationKind.Combine, program[i].Step), program[i + 2]);
        }
        return string.Join(' ', program.Where(op => op.Kind is not (OperationKind.Dispatch or OperationKind.Combine))
            .Select(op => $"{"TRC??SB"[(int)op.Kind]}{op.Step.Value}"));
    }
}
