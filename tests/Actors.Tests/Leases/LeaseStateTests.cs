using Akka.Actor;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Actors.Scheduling;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Leases;

/// <summary>The parts of the lease one by one.</summary>
public sealed class LeaseStateTests
{
    private static readonly Epoch s_epoch = new(1);

    [Fact]
    public void Lanes_take_turns_and_one_that_has_run_dry_is_left_out_from_then_on()
    {
        var walk = new LeaseWalk(new LeaseGrant(new StepId(10), [2, 0, 1], "s", 4, 100));
        var steps = new List<LeasedStep>();
        foreach (LeaseVerdict verdict in (LeaseVerdict[])[LeaseVerdict.GoOn, LeaseVerdict.Idle, LeaseVerdict.GoOn, LeaseVerdict.GoOn,
            LeaseVerdict.GoOn, LeaseVerdict.Leave])
        {
            steps.Add(walk.Next);
            walk.Finish(verdict);
        }
        Assert.Equal(
            [Step(10, 2, 7), Step(11, 0, 8), Step(12, 1, 9), Step(13, 2, 10), Step(14, 1, 12), Step(15, 2, 13)], steps);
        Assert.True(walk.Ended);
        Assert.Equal([15, 11, 14], walk.Lasts.Select(l => l.Value));
        Assert.Equal(6, walk.Done);
    }

    [Fact]
    public void A_lease_ends_when_all_its_lanes_have_run_dry_and_is_due_after_its_steps()
    {
        var walk = new LeaseWalk(new LeaseGrant(new StepId(10), [0, 1], "s", 4, 2));
        Assert.False(walk.Due);
        walk.Finish(LeaseVerdict.Idle);
        Assert.True(walk.Due);
        Assert.False(walk.Ended);
        walk.Finish(LeaseVerdict.Idle);
        Assert.True(walk.Ended);
        Assert.Throws<InvalidOperationException>(() => walk.Finish(LeaseVerdict.GoOn));
    }

    [Fact]
    public void A_note_waits_for_the_plans_of_its_lease_and_counts_for_no_other()
    {
        var lease = new RankLease();
        var grant = new LeaseGrant(new StepId(4), [0], "s", 4, 100);
        LeaseNote note = new(s_epoch, new StepId(4), [], Leave: true);
        Assert.Null(lease.On(note));
        var plan = new StepPlan(s_epoch, new StepId(3), 0, default, "s", [], grant);
        lease.Begin(plan);
        Assert.True(lease.On(note));
        lease.Finish(plan);
        Assert.True(lease is { IsOn: true, Asks: true });
        Assert.False(lease.On(note with { Step = new StepId(3) }));
        Assert.True(lease.Finish(LeaseVerdict.Leave));
        Assert.False(lease.On(note));
        Assert.False(lease.IsOn);
    }

    [Fact]
    public void The_router_grants_a_lease_once_all_lanes_are_quiet_and_plans_nothing_until_it_ends()
    {
        RouterState state = Router();
        (state, Decision? first) = state.On(Offer(0, 0, StepKind.Prefill));
        (state, Decision? second) = state.On(Offer(0, 1, StepKind.Prefill));
        Assert.Null(first!.Plan.Lease ?? second!.Plan.Lease);
        (state, Decision? none) = state.On(Offer(0, 0, StepKind.Decode)); // lane 1 still has a prompt in its step, so lane 0 goes on
        Assert.NotNull(none);
        (state, none) = state.On(Offer(0, 1, StepKind.Decode));
        Assert.Null(none); // both decode now, and lane 0 runs: wait for it
        (state, Decision? one) = state.On(Offer(0, 0, StepKind.Decode));
        (state, Decision? two) = state.Plan();
        Assert.Equal((1, 0), (one!.Plan.Lane, two!.Plan.Lane)); // the lane that rested longest first
        Assert.Equal(new StepId(8), one.Plan.Lease!.First);
        Assert.Equal([1, 0], two.Plan.Lease!.Lanes);
        Assert.Null(state.Plan().Decision);

        (state, Decision? waits) = state.On(Offer(1, 0, StepKind.Prefill));
        Assert.Null(waits);
        (state, LeaseNote? note) = state.AskToLeave();
        Assert.Equal((new StepId(8), true), (note!.Step, note.Leave));
        Assert.Null(state.AskToLeave().Note); // once

        var ended = new LeaseEnded(s_epoch, new StepId(20), new StepId(8), [new StepId(19), new StepId(20)], 13, 1, 1);
        (state, Decision? late) = state.On(ended with { First = new StepId(7) });
        Assert.Null(late);
        (state, late) = state.On(ended);
        Assert.Null(late); // replica 0 took part in both lanes and speaks first
        (state, Decision? after) = state.On(Offer(0, 0, StepKind.Decode));
        Assert.Equal((new StepId(21), new StepId(19)), (after!.Plan.Step, after.Plan.After));
        Assert.Null(after.Plan.Lease); // a prompt is in it
    }

    [Fact]
    public void With_leases_off_every_step_is_planned()
    {
        RouterState state = RouterState.Start(s_epoch, 1, 1, new Selector(CostModel.Guess, SelectorRules.Default), new StepShape(1, 0,
            0, 8, 1, 4, 1));
        for (int i = 0; i < 5; i++)
        {
            (state, Decision? decision) = state.On(Offer(0, 0, StepKind.Decode));
            Assert.Null(decision!.Plan.Lease);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_lane_is_free_when_the_lease_has_ended_and_its_last_result_is_here_in_either_order(bool resultFirst)
    {
        LaneRuns runs = LaneRuns.Start(1).Offer(0);
        (runs, LaneNews news) = runs.On(Result(9, 10));
        Assert.Equal(LaneNews.GoesOn, news);
        var ended = new LeaseEnded(s_epoch, new StepId(11), new StepId(10), [new StepId(11)], 2, 1, 1);
        (runs, _) = runs.On(Result(10, 10));
        if (resultFirst)
        {
            (runs, news) = runs.On(Result(11, 10));
            Assert.Equal(LaneNews.GoesOn, news);
            Assert.Equal([0], runs.On(ended).Freed);
            return;
        }
        (runs, var freed) = runs.On(ended);
        Assert.Empty(freed);
        Assert.Equal(LaneNews.Freed, runs.On(Result(11, 10)).News);
    }

    [Fact]
    public void A_dry_lane_expects_no_result_and_a_stray_one_is_stale()
    {
        (LaneRuns runs, _) = LaneRuns.Start(1).Offer(0).On(Result(9, 10));
        (runs, LaneNews news) = runs.On(Result(10, 10) with { Tokens = [] });
        Assert.Equal(LaneNews.GoesOn, news);
        Assert.Equal(LaneNews.Stale, runs.On(Result(11, 10)).News);
        var ended = new LeaseEnded(s_epoch, new StepId(30), new StepId(10), [new StepId(30)], 21, 1, 1);
        Assert.Equal([0], runs.On(ended).Freed);
        Assert.Equal(LaneNews.Stale, LaneRuns.Start(1).On(Result(9, 10)).News);
    }

    [Fact]
    public void A_batch_under_a_lease_frees_what_ends_at_once_and_notes_what_its_scheduler_ends()
    {
        var state = new BatchState(s_epoch, 0, new EpochSizes(1, 8, 3, 12, 4, 64), 10);
        Sequence[] all = [.. Enumerable.Range(0, 3).Select(i => Request($"{i}", 3, 9))];
        foreach (Sequence sequence in all) Assert.Null(state.Enqueue(sequence));
        state.Compose(0, []);
        foreach (Sequence sequence in all) sequence.Generated.Add(1);
        state.Completed(0);
        state.Compose(0, []);
        Assert.Equal(LaneNews.GoesOn, Take(state, all, 9, (0, TokenEnd.Length), (1, TokenEnd.GoesOn), (2, TokenEnd.GoesOn)));
        Assert.Equal((-1, 2), (all[0].Slot, state.Running)); // the last stage ended it
        Assert.Null(state.Note());

        state.End(all[1], "cancelled");
        Assert.Equal([1], state.Note()!.Ends);
        Assert.Null(state.Note()); // once
        Take(state, all, 10, (1, TokenEnd.GoesOn), (2, TokenEnd.GoesOn)); // the step was running
        Assert.Equal(2, state.Running);
        Take(state, all, 11, (2, TokenEnd.GoesOn));
        Assert.Equal((1, 9), (state.Running, state.FreeBlocks));

        state.Enqueue(Request("late", 3, 9));
        Assert.Null(state.Compose(0, []));
        Assert.True(state.Note()!.Leave);
        Assert.Null(state.Note()); // once
        int computed = all[2].Computed;
        Assert.Equal([0], state.On(new LeaseEnded(s_epoch, new StepId(11), new StepId(10), [new StepId(11)], 2, 1, 1)));
        Assert.Equal(computed, all[2].Computed); // no step came after
        BatchDelta next = state.Compose(0, [])!;
        Assert.Equal((1, 2), (next.Joins.Count, next.Work.Count));
    }

    [Fact]
    public void A_vote_comes_to_the_same_on_all_ranks_however_far_they_are_apart()
    {
        var world = new World(new Layout(1, 3, 1));
        var plan = new WindowPlan();
        FlagRange flags = plan.ReserveFlags(LeaveVote.Flags);
        var verdicts = new LeaseVerdict[3][];
        Testing.Ranks.Run(FabricKind.InProcess, world, plan, fabric =>
        {
            var vote = new LeaveVote(fabric, world.Stage(0), flags);
            // Each rank in turn has rows; one asks to leave at every fifth step.
            verdicts[fabric.Self.Value] = [.. Enumerable.Range(0, 500).Select(i =>
                vote.Vote(new StepId(i + 1), i % 5 == 0 && fabric.Self.Value == i % 3, i % 4 == fabric.Self.Value))];
        });
        LeaseVerdict[] want = [.. Enumerable.Range(0, 500).Select(i =>
            LeaseVerdicts.Of(leave: i % 5 == 0, rows: i % 4 != 3))];
        Assert.All(verdicts, got => Assert.Equal(want, got));
    }

    [Fact]
    public void A_rank_that_votes_on_another_step_is_named()
    {
        var world = new World(new Layout(1, 2, 1));
        var plan = new WindowPlan();
        FlagRange flags = plan.ReserveFlags(LeaveVote.Flags);
        var outcomes = Testing.Ranks.Outcomes(FabricKind.InProcess, world, plan, fabric =>
            new LeaveVote(fabric, world.Stage(0), flags).Vote(new StepId(7 + fabric.Self.Value), leave: false, rows: true));
        Assert.Contains(outcomes, error => error is FabricException { Culprit: not null } && error.Message.Contains("voted on step"));
    }

    private static LaneNews Take(BatchState state, Sequence[] all, long step, params (int Of, TokenEnd End)[] tokens)
    {
        StepResult result = Result(step, 10) with { Tokens = [.. tokens.Select(t => new SlotToken(all[t.Of].Slot, 1, t.End))] };
        LaneNews news = state.On(result);
        foreach ((int of, TokenEnd end) in tokens)
        {
            all[of].Generated.Add(1);
            if (end != TokenEnd.GoesOn) state.End(all[of], "length");
        }
        state.Settle(result, news);
        return news;
    }

    private static LeasedStep Step(long step, int lane, long after) => new(new StepId(step), lane, new StepId(after));

    private static RouterState Router() =>
        RouterState.Start(s_epoch, 2, 2, new Selector(CostModel.Guess, SelectorRules.Default), new StepShape(2, 0, 0, 8, 1, 4, 1),
            leaseSteps: 50);

    private static StepOffer Offer(int replica, int lane, StepKind kind) => new(s_epoch, default, replica, lane, 1, kind, 1, 0);

    private static StepResult Result(long step, long lease) =>
        new(s_epoch, new StepId(step), 0, 0, [new SlotToken(0, 1)], [], 0, 0, new StepId(lease));

    private static Sequence Request(string id, int prompt, int tokens) => new(
        new RequestSpec(id, null, [], tokens, new SamplingSpec(0, 0, 1, 0, 1, 0), [], false, SequenceMode.Generate),
        "client", ActorRefs.Nobody, new int[prompt], 0);
}
