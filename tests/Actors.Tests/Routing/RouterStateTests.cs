using System.Text.Json;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class RouterStateTests
{
    private static readonly StepShape Sizes = new(2, 0, 0, 256, 4, 4, 6);

    [Fact]
    public void One_replica_with_work_does_not_wait_for_one_that_has_said_nothing()
    {
        (_, Decision? decision) = New(replicas: 2).On(Offer(0, rows: 3));
        Assert.Equal([new ReplicaShare(3, 1), default], decision!.Plan.Shares);
    }

    [Fact]
    public void A_replica_that_took_part_in_the_last_step_is_waited_for_until_it_offers_or_has_nothing()
    {
        (RouterState state, Decision? first) = New(2).On(Offer(0, 3));
        (state, Decision? second) = state.On(Offer(1, 2));
        Assert.NotNull(first);
        Assert.Null(second); // replica 0 is still in step 3
        (RouterState offered, Decision? both) = state.On(Offer(0, 1, version: 2));
        Assert.Equal([new ReplicaShare(1, 2), new ReplicaShare(2, 1)], both!.Plan.Shares);
        Assert.Equal(first.Plan.Step, both.Plan.After);
        (_, Decision? alone) = state.On(Offer(0, 0));
        Assert.Equal([default, new ReplicaShare(2, 1)], alone!.Plan.Shares);
        Assert.Equal(first.Plan.Step.Next, offered.Lanes[0].Last);
    }

    [Fact]
    public void Lanes_do_not_wait_for_each_other()
    {
        (RouterState state, Decision? a) = New(1).On(Offer(0, 1, lane: 0));
        (_, Decision? b) = state.On(Offer(0, 1, version: 2, lane: 1));
        Assert.Equal(a!.Plan.Step.Next, b!.Plan.Step);
        Assert.Equal(default, b.Plan.After);
    }

    [Theory]
    [InlineData(2, 0, 0)]
    [InlineData(1, 5, 0)]
    [InlineData(1, 0, 9)]
    public void An_offer_of_another_epoch_or_about_no_such_replica_or_lane_changes_nothing(long epoch, int replica, int lane)
    {
        RouterState state = New(2);
        (RouterState after, Decision? decision) = state.On(Offer(replica, 1, lane: lane) with { Epoch = new Epoch(epoch) });
        Assert.Same(state, after);
        Assert.Null(decision);
    }

    [Fact]
    public void Random_offers_give_every_step_a_number_of_its_own_and_no_replica_two_running_steps_in_a_lane()
    {
        Random random = Seed.For(nameof(Random_offers_give_every_step_a_number_of_its_own_and_no_replica_two_running_steps_in_a_lane));
        RouterState state = New(3);
        var running = new HashSet<(int, int)>();
        long last = 2, version = 0;
        for (int i = 0; i < 5000; i++)
        {
            (int replica, int lane) = (random.Next(3), random.Next(2));
            running.Remove((replica, lane)); // its step ended, and it speaks
            (state, Decision? decision) = state.On(Offer(replica, random.Next(3), ++version, lane));
            if (decision is null) continue;
            Assert.Equal(++last, decision.Plan.Step.Value);
            for (int r = 0; r < 3; r++)
                if (decision.Plan.Shares[r].Rows > 0) Assert.True(running.Add((r, decision.Plan.Lane)));
        }
        Assert.True(last > 500);
    }

    [Fact]
    public void What_is_predicted_is_the_models_word_for_the_steps_own_rows_whatever_was_kept_from_steps_before()
    {
        Random random = Seed.For(nameof(What_is_predicted_is_the_models_word_for_the_steps_own_rows_whatever_was_kept_from_steps_before));
        RouterState state = New(2);
        CostModel model = state.Selector.Model;
        for (int i = 1; i <= 500; i++)
        {
            if (i == 250)
            {
                model = new CostModel(LinkTable.Guess, Cores: 1);
                state = state with { Selector = state.Selector with { Model = model } };
            }
            (state, Decision? decision) = state.On(Offer(0, random.Next(1, 3), version: i, lane: random.Next(2)));
            StepShape shape = Sizes.WithReplicas([.. decision!.Plan.Shares.Select(s => s.Rows)]);
            Assert.Equal(model.Predict(decision.Choice.Use, shape), decision.Choice.ModelUs);
            Assert.Equal(model.PredictAll(shape).Us, decision.Choice.Outlooks.Select(o => o.PredictedUs));
        }
    }

    [Fact]
    public void What_a_step_took_is_learned_and_prefill_is_told_from_decode()
    {
        (RouterState state, Decision? first) = New(2).On(Offer(0, 4));
        for (int i = 0; i < 20; i++) state = state.Observe(first!, first!.PredictedUs * 3);
        (_, Decision? slower) = state.On(Offer(0, 4, version: 2));
        Assert.InRange(slower!.PredictedUs, first!.PredictedUs * 2.8, first.PredictedUs * 3.2);
        (_, Decision? prefill) = New(2).On(Offer(0, 4) with { Kind = StepKind.Prefill });
        Assert.Equal((StepKind.Decode, StepKind.Prefill), (slower.Choice.Bucket.Kind, prefill!.Choice.Bucket.Kind));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("low_latency")]
    public void A_strategy_whose_shadow_check_failed_is_left_and_used_no_more(string? pinned)
    {
        var selector = new Selector(CostModel.Guess, SelectorRules.Default with { Pinned = pinned });
        RouterState state = RouterState.Start(new Epoch(1), 2, 1, selector, Sizes, leaseSteps: 100);
        (state, Decision? decision) = state.On(Offer(0, 2));
        string strategy = decision!.Choice.Strategy;
        LeaseGrant grant = decision.Plan.Lease!;
        Assert.Equal(strategy, grant.Strategy);
        Assert.NotEqual(Strategies.NameOf(Strategies.Fallback), strategy);
        var mismatch = new ShadowMismatch(new Epoch(1), new StepId(7), 1, strategy, 3, 2, 17, 0.25f, 0.5f);

        Assert.Null(state.AskToLeave().Note);
        Assert.Null(state.On(mismatch with { Epoch = new Epoch(2) }).Warning);
        Assert.Null(state.On(mismatch with { Strategy = Strategies.NameOf(Strategies.Fallback) }).Warning);
        (state, string? warning) = state.On(mismatch);
        Assert.StartsWith($"strategy {strategy} is out of use until epoch 1 ends: its shadow check failed in step 7, layer 3, rank 1, "
            + "row 2: value 17 came out as 0.25, by allgather_reducescatter it is 0.5", warning);
        Assert.Null(state.On(mismatch with { Step = new StepId(8) }).Warning); // one is enough

        (state, LeaseNote? note) = state.AskToLeave();
        Assert.Equal((grant.First, true), (note!.Step, note.Leave));
        Assert.Null(state.AskToLeave().Note);
        (state, _) = state.On(new LeaseEnded(new Epoch(1), new StepId(9), grant.First, [new StepId(9)], 6, 100, 50));
        for (int i = 2; i < 60; i++)
        {
            (RouterState after, decision) = state.On(Offer(0, 1 + (i % 5 == 0 ? 200 : 0), i));
            Assert.NotEqual(strategy, decision!.Choice.Strategy);
            Assert.StartsWith("out of use: its shadow check failed in step 7", decision.Choice.Illegal[strategy]);
            Assert.Null(decision.Choice.Warning); // the user was told already
            StepId first = decision.Plan.Lease!.First;
            Assert.Null(after.AskToLeave().Note);
            (state, _) = after.On(new LeaseEnded(new Epoch(1), first, first, [first], 1, 100, 50));
        }
    }

    [Fact]
    public void What_is_tried_to_learn_is_never_leased_and_a_lease_comes_after_it()
    {
        var rules = SelectorRules.Default with { Explore = 0.1, Seed = 3 };
        StepShape shape = Sizes with { Experts = 64 };
        (int explored, int leases) = (0, 0);
        RouterState state = RouterState.Start(new Epoch(1), 1, 1, new Selector(CostModel.Guess, rules), shape, leaseSteps: 5);
        for (int version = 1; version < 400; version++)
        {
            (state, Decision? decision) = state.On(Offer(0, 4, version));
            Assert.Equal(decision!.Choice.Explored, decision.Plan.Lease is null);
            if (decision.Plan.Lease is not { } grant)
            {
                explored++;
                continue;
            }
            leases++;
            Assert.Equal(grant.Strategy, decision.Plan.Strategy);
            (state, _) = state.On(new LeaseEnded(new Epoch(1), grant.First, grant.First, [grant.First], 1, 1, 1));
        }
        Assert.InRange(explored, 5, 100);
        Assert.True(leases > 200);
    }

    [Fact]
    public void A_plan_says_whose_offer_was_the_last_that_it_waited_for()
    {
        (RouterState state, Decision? first) = New(2).On(Offer(1, 3));
        Assert.Equal(1, first!.Plan.AskedBy);
        (state, Decision? none) = state.On(Offer(0, 2));
        (state, Decision? second) = state.On(Offer(1, 0, version: 2));
        Assert.Null(none);
        Assert.Equal(-1, second!.Plan.AskedBy); // replica 0 offered, but it was replica 1 that was waited for
    }

    [Fact]
    public void The_log_forgets_the_epoch_before()
    {
        var log = new DecisionLog(16);
        Assert.Equal(0, DecisionReports.Summarize(log).Steps);
        foreach (long epoch in (long[])[1, 2])
        {
            RouterState state = RouterState.Start(new Epoch(epoch), 1, 2, new Selector(CostModel.Guess, SelectorRules.Default), Sizes);
            for (int i = 1; i <= (epoch == 1 ? 6 : 2); i++)
            {
                (state, Decision? decision) = state.On(Offer(0, 1, i) with { Epoch = new Epoch(epoch) });
                log.Add(decision!);
            }
        }
        Assert.Null(log.Find(new StepId(6)));
        Assert.Equal(2, DecisionReports.Summarize(log).Steps);
        Assert.Equal([4, 3], log.Newest(10).Select(d => d.Plan.Step.Value));
    }

    [Fact]
    public void A_decision_becomes_the_json_that_scripts_read()
    {
        (_, Decision? decision) = New(2).On(Offer(0, 3));
        var log = new DecisionLog(4);
        log.Add(decision!);
        ExplainReport report = DecisionReports.Of(log.Measured(decision!.Plan.Step, 50)!, "none") with
        {
            Summary = DecisionReports.Summarize(log),
        };
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(report, ReportJson.Default.ExplainReport));
        Assert.Empty(((string[])["step", "strategy", "reason", "predicted_us", "measured_us", "lease", "explored", "illegal", "summary"])
            .Except(json.RootElement.EnumerateObject().Select(p => p.Name)));
        Assert.Equal(50, json.RootElement.GetProperty("summary").GetProperty("strategies")[0].GetProperty("mean_measured_us").GetDouble());
        ExplainReport back = JsonSerializer.Deserialize(json.RootElement.GetRawText(), ReportJson.Default.ExplainReport)!;
        Assert.Equal(report.Illegal, back.Illegal);
        Assert.Equal(report.Summary.Strategies, back.Summary!.Strategies);
    }

    private static RouterState New(int replicas) =>
        RouterState.Start(new Epoch(1), replicas, 2, new Selector(CostModel.Guess, SelectorRules.Default), Sizes);

    private static StepOffer Offer(int replica, int rows, long version = 1, int lane = 0) =>
        new(new Epoch(1), default, replica, lane, rows, StepKind.Decode, version, 0);
}
