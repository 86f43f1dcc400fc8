using System.Collections.Immutable;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>A step that may run here: its plan, and this replica's batch for it unless the replica brings no rows.</summary>
public sealed record StageStep(StepPlan Plan, BatchDelta? Batch);

/// <summary>
/// What a stage waits for before each step, pure: plans run in the router's order, each once this replica's batch version that it names is
/// here. Lanes are planned as their replicas offer, so versions of different lanes may be used in another order than they were made.
/// </summary>
public sealed record StageState(
    Epoch Epoch, int Replica, StepId LastStarted, ImmutableQueue<StepPlan> Plans, ImmutableDictionary<long, BatchDelta> Deltas)
{
    /// <summary>The most plans or deltas that may wait here; the lanes bound them far below, so more is a broken peer.</summary>
    public const int MaxWaiting = 1024;

    /// <summary>A stage that has seen nothing yet.</summary>
    public static StageState Start(Epoch epoch, int replica) =>
        new(epoch, replica, default, [], ImmutableDictionary<long, BatchDelta>.Empty);

    /// <summary>Takes a plan; what may start now comes back in order. A plan of another epoch or one already seen is dropped.</summary>
    public (StageState State, ImmutableList<StageStep> Ready, bool Dropped) On(StepPlan plan)
    {
        if (plan.Epoch != Epoch || plan.Step <= LastPlanned || plan.Shares.Count <= Replica || Plans.Count() >= MaxWaiting)
            return (this, [], true);
        return (this with { Plans = Plans.Enqueue(plan) }).Start();
    }

    /// <summary>Takes a batch delta of this replica.</summary>
    public (StageState State, ImmutableList<StageStep> Ready, bool Dropped) On(BatchDelta delta)
    {
        if (delta.Epoch != Epoch || delta.Replica != Replica || Deltas.Count >= MaxWaiting) return (this, [], true);
        return (this with { Deltas = Deltas.SetItem(delta.Version, delta) }).Start();
    }

    /// <summary>What the first waiting step lacks, for status and errors; null if nothing waits.</summary>
    public string? WaitingFor => Plans.IsEmpty
        ? Deltas.IsEmpty ? null : $"the plan of the step that uses batch version {Deltas.Keys.Min()}"
        : $"batch version {Plans.Peek().Shares[Replica].Version} of {Plans.Peek().Step}";

    private StepId LastPlanned => Plans.IsEmpty ? LastStarted : Plans.Last().Step;

    private (StageState, ImmutableList<StageStep>, bool) Start()
    {
        var (state, ready) = (this, ImmutableList<StageStep>.Empty);
        while (!state.Plans.IsEmpty)
        {
            StepPlan plan = state.Plans.Peek();
            ReplicaShare share = plan.Shares[Replica];
            BatchDelta? batch = null;
            if (share.Rows > 0)
            {
                if (!state.Deltas.TryGetValue(share.Version, out batch)) break;
                state = state with { Deltas = state.Deltas.Remove(share.Version) };
            }
            ready = ready.Add(new StageStep(plan, batch));
            state = state with { Plans = state.Plans.Dequeue(), LastStarted = plan.Step };
        }
        return (state, ready, false);
    }
}
