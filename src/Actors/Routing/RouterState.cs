using System.Collections.Immutable;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
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

/// <summary>One lane: the step it last ran, and the replicas' shares in the next.</summary>
public sealed record LaneState(StepId Last, ImmutableArray<LaneShare> Shares)
{
    /// <summary>Some replica has rows, and all that took part in the last step have spoken.</summary>
    public bool MayRun => Shares.Any(s => s is LaneShare.Offered) && !Shares.Any(s => s is LaneShare.Running);
}

/// <summary>
/// The router's mind, pure: offers in, plans out. A replica that took part in a lane's last step is waited for (its result makes it speak);
/// one that is silent counts as 0 rows and still serves its experts. There are no timers and no dummy batches.
/// </summary>
public sealed record RouterState(
    Epoch Epoch, StepId Next, ImmutableArray<LaneState> Lanes, Selector Selector, StepShape Sizes)
{
    /// <summary>
    /// A router at the start of an epoch. <paramref name="sizes"/> gives the model's and the group's sizes; its rows are not read.
    /// </summary>
    public static RouterState Start(Epoch epoch, int replicas, int lanes, Selector selector, StepShape sizes) =>
        new(epoch, PipelineSchedule.FirstStep, [.. Enumerable.Repeat(
            new LaneState(default, [.. Enumerable.Repeat<LaneShare>(new LaneShare.Idle(), replicas)]), lanes)],
            selector, sizes);

    /// <summary>
    /// Takes an offer; a decision comes out when the lane may run. Offers of another epoch, or about no such lane or replica, change
    /// nothing.
    /// </summary>
    public (RouterState State, Decision? Decision) On(StepOffer offer)
    {
        if (offer.Epoch != Epoch || (uint)offer.Lane >= (uint)Lanes.Length || (uint)offer.Replica >= (uint)Lanes[offer.Lane].Shares.Length)
            return (this, null);
        LaneShare share = offer.Rows > 0 ? new LaneShare.Offered(offer.Rows, offer.Kind, offer.Version) : new LaneShare.Idle();
        LaneState lane = Lanes[offer.Lane] with { Shares = Lanes[offer.Lane].Shares.SetItem(offer.Replica, share) };
        RouterState state = this with { Lanes = Lanes.SetItem(offer.Lane, lane) };
        return lane.MayRun ? state.Plan(offer.Lane) : (state, null);
    }

    /// <summary>Learns from how a step went: microseconds of its dispatches and combines.</summary>
    public RouterState Observe(Decision decision, double measuredUs) =>
        this with { Selector = Selector.Observe(decision.Choice, measuredUs) };

    private (RouterState, Decision) Plan(int index)
    {
        LaneState lane = Lanes[index];
        ImmutableArray<ReplicaShare> shares =
            [.. lane.Shares.Select(s => s is LaneShare.Offered o ? new ReplicaShare(o.Rows, o.Version) : default)];
        StepKind kind = lane.Shares.Any(s => s is LaneShare.Offered { Kind: StepKind.Prefill }) ? StepKind.Prefill : StepKind.Decode;
        (Selector selector, Choice choice) = Selector.Choose(Next, kind, Sizes.WithReplicas([.. shares.Select(s => s.Rows)]));
        var plan = new StepPlan(Epoch, Next, index, lane.Last, choice.Strategy, shares);
        LaneState after = new(Next, [.. lane.Shares.Select(s => s is LaneShare.Offered ? new LaneShare.Running() : s)]);
        return (this with { Next = Next.Next, Lanes = Lanes.SetItem(index, after), Selector = selector },
            new Decision(plan, kind, choice));
    }
}
