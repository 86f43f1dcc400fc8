using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Protocols;
using Troupe.Actors.Scheduling;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>
/// Keeps one order of steps for its rank: takes the router's plans and its scheduler's batches, and hands each step to the rank once both
/// are here; passes notes about leases on. The order of the step's sends and receives is <see cref="PipelineSchedule"/>'s.
/// </summary>
public sealed class StageActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly IActorRef _rank;
    private StageState _state;
    private long _dropped;

    /// <summary>A stage actor for one rank of an epoch; <paramref name="rounds"/> is of the scheduler beside it, if there is one.</summary>
    public StageActor(Epoch epoch, int replica, IActorRef rank, RoundClock? rounds)
    {
        _rank = rank;
        _state = StageState.Start(epoch, replica);
        Receive<StepPlan>(plan =>
        {
            rounds?.Planned(plan, replica);
            Apply(_state.On(plan), plan);
        });
        Receive<BatchDelta>(delta => Apply(_state.On(delta), delta));
        Receive<LeaseNote>(note =>
        {
            if (note.Epoch == epoch) rank.Tell(note);
        });
    }

    private void Apply((StageState State, System.Collections.Immutable.ImmutableList<StageStep> Ready, bool Dropped) outcome,
        ProtocolMessage message)
    {
        _state = outcome.State;
        if (outcome.Dropped)
        {
            _log.Debug("dropped a stale {0} of {1}, {2} ({3} so far)", message.GetType().Name, message.Epoch, message.Step, ++_dropped);
        }
        foreach (StageStep step in outcome.Ready) _rank.Tell(step);
    }
}
