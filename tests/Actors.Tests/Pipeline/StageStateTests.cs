using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

public sealed class StageStateTests
{
    private static readonly Epoch Now = new(1);

    [Fact]
    public void A_step_starts_when_both_its_plan_and_its_batch_are_here_whichever_comes_first()
    {
        StageState state = StageState.Start(Now, 0);
        (StageState planned, var none, _) = state.On(Plan(3, version: 1));
        Assert.Empty(none);
        Assert.Contains("batch version 1", planned.WaitingFor);
        Assert.Equal(3, planned.On(Batch(1)).Ready.Single().Plan.Step.Value);
        (StageState batched, _, _) = state.On(Batch(1));
        Assert.Equal(1, batched.On(Plan(3, 1)).Ready.Single().Batch!.Version);
    }

    [Fact]
    public void A_step_without_rows_of_this_replica_needs_no_batch()
    {
        StageStep step = StageState.Start(Now, 1).On(Plan(3, 1)).Ready.Single();
        Assert.Null(step.Batch);
    }

    [Fact]
    public void Steps_keep_the_routers_order_and_versions_may_be_used_in_another_order_than_they_were_made()
    {
        StageState state = StageState.Start(Now, 0).On(Batch(1)).State.On(Plan(3, version: 2)).State.On(Plan(4, version: 1)).State;
        var ready = state.On(Batch(2)).Ready;
        Assert.Equal([3, 4], ready.Select(r => r.Plan.Step.Value));
        Assert.Equal([2, 1], ready.Select(r => r.Batch!.Version));
    }

    [Fact]
    public void A_plan_of_another_epoch_or_one_seen_already_is_dropped()
    {
        (StageState state, _, _) = StageState.Start(Now, 1).On(Plan(3, 1));
        Assert.True(state.On(Plan(3, 1)).Dropped);
        Assert.True(state.On(Plan(4, 1) with { Epoch = new Epoch(2) }).Dropped);
        Assert.True(state.On(Batch(1) with { Replica = 0 }).Dropped);
    }

    private static StepPlan Plan(long step, long version) =>
        new(Now, new StepId(step), 0, default, "allgather_reducescatter", [new ReplicaShare(1, version), default]);

    private static BatchDelta Batch(long version) => new(Now, 0, version, 0, [], [], [new SlotWork(0, 1)]);
}
