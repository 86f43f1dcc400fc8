using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Reports;
using Troupe.Actors.Protocols;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>What the router must know at the start of an epoch. Local: the router and the coordinator share the control node.</summary>
public sealed record StartRouting(Epoch Epoch, int Lanes, int Replicas, string Fabric, string? Pinned, StepShape Sizes,
    IReadOnlyList<IActorRef> Stages)
{
    /// <summary>What links cost, as the ranks measured it.</summary>
    public CostModel Model { get; init; } = CostModel.Guess;

    /// <summary>What limits the choice of a strategy, but for <see cref="Pinned"/>.</summary>
    public SelectorRules Rules { get; init; } = SelectorRules.Default;
}

/// <summary>
/// Plans every step: collects the replicas' offers, chooses the strategy, orders all ranks, and can say why. One in the cluster.
/// </summary>
public sealed class RouterActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DecisionLog _decisions;
    private RouterState? _state;
    private IReadOnlyList<IActorRef> _stages = [];

    /// <summary>A router that keeps <paramref name="history"/> decisions and reports itself to the coordinator.</summary>
    public RouterActor(IActorRef coordinator, int history)
    {
        _decisions = new DecisionLog(history);
        coordinator.Tell(new RouterStarted(Self));
        Receive<StartRouting>(start =>
        {
            var selector = new Selector(start.Model, start.Rules with { Pinned = start.Pinned });
            StepShape sizes = start.Fabric == Fabrics.NameOf(FabricKind.Tcp) ? start.Sizes with { Mapping = Mapping.Nobody } : start.Sizes;
            (_stages, _state) = (start.Stages, RouterState.Start(start.Epoch, start.Replicas, start.Lanes, selector, sizes));
        });
        Receive<EpochAborted>(aborted =>
        {
            if (aborted.Epoch == _state?.Epoch) _state = null;
        });
        Receive<StepOffer>(Offer);
        Receive<ReportRequest>(request => Sender.Tell(new Report(request.Epoch, 0, Explain(request))));
    }

    private void Offer(StepOffer offer)
    {
        if (_state is null)
        {
            _log.Debug("dropped an offer of {0}: no epoch is running", offer.Epoch);
            return;
        }
        if (offer.Step.Value > 0 && _decisions.Measured(offer.Step, offer.MeasuredUs) is { } outcome)
            _state = _state.Observe(outcome, offer.MeasuredUs);
        (_state, Decision? decision) = _state.On(offer);
        if (decision is null) return;
        if (decision.Choice.Warning is { } warning) _log.Warning("{0}", warning);
        _decisions.Add(decision);
        foreach (IActorRef stage in _stages) stage.Tell(decision.Plan);
    }

    private string Explain(ReportRequest request)
    {
        if (request.Subject == Subject.Status)
        {
            return JsonSerializer.Serialize(new RouterReport(
                _decisions.Last?.Plan.Step.Value ?? 0, "none: every step is planned by the router", _decisions.StepsByStrategy,
                [.. _decisions.Newest(10).Select(d => DecisionReports.Of(d, "none"))]), ReportJson.Default.RouterReport);
        }
        bool asked = long.TryParse(request.Argument, out long step);
        Decision? found = asked ? _decisions.Find(new StepId(step)) : _decisions.Last;
        if (found is null) return "";
        ExplainReport report = DecisionReports.Of(found, "none");
        return JsonSerializer.Serialize(
            asked ? report : report with { Summary = DecisionReports.Summarize(_decisions) }, ReportJson.Default.ExplainReport);
    }
}
