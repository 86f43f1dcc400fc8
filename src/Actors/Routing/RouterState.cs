using System.Collections.Immutable;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>What each replica last said about a lane.</summary>
public abstract record LaneShare
{
    /// <summary>Nothing to do, or nothing heard yet: counts as 0 rows and is not waited for.</summary>
    public sealed record Idle : LaneShare;

    /// <summary>In the lane's running step; its next offer is waited for.</summary>
    public sealed record Running : LaneShare;

    /// <summary>Has offered rows for the lane's next step.</summary>
    public sealed record Offered(int Rows, StepKind Kind, long Version) : LaneShare;
}

/// <summary>One lane: the step it last ran and of which kind, and the replicas' shares in the next.</summary>
public sealed record LaneState(StepId Last, StepKind Kind, ImmutableArray<LaneShare> Shares)
{
    /// <summary>What was predicted for its last step.</summary>
    public Forecast? Forecast { get; init; }

    /// <summary>Some replica has rows for its next step.</summary>
    public bool IsOffered => Shares.Any(s => s is LaneShare.Offered);

    /// <summary>Some replica that took part in the last step has not spoken yet.</summary>
    public bool IsRunning => Shares.Any(s => s is LaneShare.Running);

    /// <summary>Some replica has rows, and all that took part in the last step have spoken.</summary>
    public bool MayRun => IsOffered && !IsRunning;

    /// <summary>Whether neither the last step, while it runs, nor what is offered for the next has prompts in it.</summary>
    public bool IsSteady => !(IsRunning && Kind == StepKind.Prefill) && !Shares.Any(s => s is LaneShare.Offered { Kind: StepKind.Prefill });

    internal ImmutableArray<ReplicaShare> Rows =>
        [.. Shares.Select(s => s is LaneShare.Offered o ? new ReplicaShare(o.Rows, o.Version) : default)];
}

/// <summary>A lease that was granted, and whether the ranks were told that somebody waits for its end.</summary>
public sealed record LeaseState(LeaseGrant Grant, Choice Choice, bool LeaveAsked);

/// <summary>
/// The router's mind, pure: offers in, plans out. A replica that took part in a lane's last step is waited for (its result makes it speak);
/// one that is silent counts as 0 rows and still serves its experts. There are no timers and no dummy batches.
/// <para>When no lane has prompts, it waits until all lanes have ended their steps, plans one more on each, and grants a lease with these
/// plans. It plans nothing until the lease ends; who offers meanwhile makes it ask rank 0 to leave.</para>
/// </summary>
public sealed record RouterState(
    Epoch Epoch, StepId Next, ImmutableArray<LaneState> Lanes, Selector Selector, StepShape Sizes, int LeaseSteps, LeaseState? Lease)
{
    /// <summary>Which planned steps run in halves.</summary>
    public OverlapRule Overlap { get; init; } = OverlapRule.Never;

    /// <summary>
    /// A router at the start of an epoch. <paramref name="sizes"/> gives the model's and the group's sizes; its rows are not read.
    /// <paramref name="leaseSteps"/> is how long a lease lasts at most; with 0 every step is planned.
    /// </summary>
    public static RouterState Start(Epoch epoch, int replicas, int lanes, Selector selector, StepShape sizes, int leaseSteps = 0) =>
        new(epoch, PipelineSchedule.FirstStep, [.. Enumerable.Repeat(
            new LaneState(default, StepKind.Decode, [.. Enumerable.Repeat<LaneShare>(new LaneShare.Idle(), replicas)]), lanes)],
            selector, sizes, leaseSteps, null);

    /// <summary>
    /// Takes an offer; a decision comes out when a lane may run, and <see cref="Plan()"/> has more where there are. Offers of another
    /// epoch, or about no such lane or replica, change nothing.
    /// </summary>
    public (RouterState State, Decision? Decision) On(StepOffer offer)
    {
        if (offer.Epoch != Epoch || (uint)offer.Lane >= (uint)Lanes.Length || (uint)offer.Replica >= (uint)Lanes[offer.Lane].Shares.Length)
            return (this, null);
        LaneShare share = offer.Rows > 0 ? new LaneShare.Offered(offer.Rows, offer.Kind, offer.Version) : new LaneShare.Idle();
        LaneState lane = Lanes[offer.Lane] with { Shares = Lanes[offer.Lane].Shares.SetItem(offer.Replica, share) };
        (RouterState state, Decision? decision) = (this with { Lanes = Lanes.SetItem(offer.Lane, lane) }).Plan();
        return decision?.Plan is { } plan && plan.Lane == offer.Lane && offer.Rows > 0
            ? (state, decision with { Plan = plan with { AskedBy = offer.Replica } }) : (state, decision);
    }

    /// <summary>The lease has ended: the steps that it ran are over, and the replicas in it will offer again.</summary>
    public (RouterState State, Decision? Decision) On(LeaseEnded ended)
    {
        if (ended.Epoch != Epoch || Lease is not { } lease || ended.First != lease.Grant.First || Next < ended.First
            || ended.Lasts.Count != Lanes.Length) return (this, null);
        RouterState state = this with { Lease = null, Next = ended.Step.Next };
        foreach (int lane in lease.Grant.Lanes)
            state = state with { Lanes = state.Lanes.SetItem(lane, state.Lanes[lane] with { Last = ended.Lasts[lane] }) };
        return state.Plan();
    }

    /// <summary>
    /// A shadow check failed: the strategy is out of use from the next plan on, and a lease that uses it is to be left.
    /// <see cref="AskToLeave"/> next.
    /// </summary>
    /// <returns>A warning for the user; null where the strategy is out of use already, or the epoch is another.</returns>
    public (RouterState State, string? Warning) On(ShadowMismatch mismatch)
    {
        Strategy strategy = Strategies.Resolve(mismatch.Strategy).Use;
        if (mismatch.Epoch != Epoch || strategy == Strategies.Fallback || Selector.OutOfUse.ContainsKey(strategy)) return (this, null);
        string fallback = StrategyTable.Name(Strategies.Fallback);
        string where = $"{mismatch.Step}, {new LayerIndex(mismatch.Layer)}, rank {mismatch.Rank}, row {mismatch.Row}: "
            + $"value {mismatch.Value} came out as {mismatch.GotValue}, by {fallback} it is {mismatch.WantedValue}";
        return (this with { Selector = Selector.TakeOut(strategy, $"its shadow check failed in {where}") },
            $"strategy {mismatch.Strategy} is out of use until {Epoch} ends: its shadow check failed in {where}; "
                + "the step went on with the latter");
    }

    /// <summary>The next step that may be planned, if any.</summary>
    public (RouterState State, Decision? Decision) Plan()
    {
        if (Lease is { } lease)
        {
            long left = lease.Grant.First.Value - Next.Value;
            return left > 0 ? Plan(lease.Grant.Lanes[^(int)left], lease.Choice, lease.Grant) : (this, null);
        }
        int[] ready = [.. Enumerable.Range(0, Lanes.Length).Where(i => Lanes[i].MayRun).OrderBy(i => Lanes[i].Last)];
        if (ready.Length == 0) return (this, null);
        if (LeaseSteps == 0 || !Lanes.All(lane => lane.IsSteady))
        {
            LaneState lane = Lanes[ready[0]];
            (RouterState state, Choice choice) = Choose(ready[0], lane.IsSteady ? StepKind.Decode : StepKind.Prefill);
            return state.Plan(ready[0], choice, null);
        }
        // A lane that still runs will be offered again, and that offer may have come too late for a lease granted now.
        return Lanes.Any(lane => lane.IsRunning) ? (this, null) : Grant(ready);
    }

    /// <summary>What to tell rank 0 if a lease runs and somebody has offered work, or its strategy is out of use; once per lease.</summary>
    public (RouterState State, LeaseNote? Note) AskToLeave()
    {
        if (Lease is not { LeaveAsked: false } lease || Next < lease.Grant.First) return (this, null);
        if (!Lanes.Any(lane => lane.IsOffered) && !Selector.OutOfUse.ContainsKey(lease.Choice.Use)) return (this, null);
        return (this with { Lease = lease with { LeaveAsked = true } }, new LeaseNote(Epoch, lease.Grant.First, [], Leave: true));
    }

    /// <summary>
    /// Learns from how a step went: microseconds of its dispatches and combines. What a step in halves waited says nothing about how long
    /// its rows travelled.
    /// </summary>
    public RouterState Observe(Decision decision, double measuredUs) =>
        decision.Plan.InHalves ? this : this with { Selector = Selector.Observe(decision.Choice, measuredUs) };

    /// <summary>Learns how long all of a step took, from the first of the replicas that had rows in it.</summary>
    public RouterState Ran(Decision decision, int replica, double stepUs)
    {
        for (int i = 0; i < replica && i < decision.Plan.Shares.Count; i++)
            if (decision.Plan.Shares[i].Rows > 0) return this;
        return this with { Overlap = Overlap.Observe(decision, stepUs) };
    }

    /// <summary>
    /// A lease for these lanes, with its first plan. What is tried to learn is tried in a single step: that one is planned without a
    /// lease, which comes after it.
    /// </summary>
    private (RouterState, Decision?) Grant(int[] lanes)
    {
        // One strategy for all of its steps: the one for the lane with most to carry.
        int most = lanes.MaxBy(i => Lanes[i].Rows.Max(s => s.Rows));
        (RouterState state, Choice choice) = Choose(most, StepKind.Decode);
        if (choice.Explored) return state.Plan(most, choice, null);
        int capacity = Lanes[most].Rows.Max(s => s.Rows);
        var grant = new LeaseGrant(new StepId(Next.Value + lanes.Length), lanes, choice.Strategy, capacity, LeaseSteps);
        return (state with { Lease = new LeaseState(grant, choice, LeaveAsked: false) }).Plan();
    }

    private (RouterState State, Choice Choice) Choose(int index, StepKind kind)
    {
        LaneState lane = Lanes[index];
        StepShape shape = Sizes.WithReplicas([.. lane.Rows.Select(s => s.Rows)]);
        Forecast forecast = lane.Forecast is { } last && last.Holds(Selector.Model, shape) ? last : Selector.Model.PredictAll(shape);
        (Selector selector, Choice choice) = Selector.Choose(Next, kind, forecast);
        return (this with { Selector = selector, Lanes = Lanes.SetItem(index, lane with { Forecast = forecast }) }, choice);
    }

    private (RouterState, Decision) Plan(int index, Choice choice, LeaseGrant? lease)
    {
        LaneState lane = Lanes[index];
        StepKind kind = lane.IsSteady ? StepKind.Decode : StepKind.Prefill;
        (OverlapRule overlap, bool inHalves) = lease is null ? Overlap.Choose(choice.Bucket, lane.Rows, Sizes.Ranks) : (Overlap, false);
        var plan = new StepPlan(Epoch, Next, index, lane.Last, choice.Strategy, lane.Rows, lease, InHalves: inHalves);
        LaneState after = lane with
        {
            Last = Next, Kind = kind, Shares = [.. lane.Shares.Select(s => s is LaneShare.Offered ? new LaneShare.Running() : s)],
        };
        return (this with { Next = Next.Next, Lanes = Lanes.SetItem(index, after), Overlap = overlap },
            new Decision(plan, kind, choice));
    }
}
