using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Configuration;
using Troupe.Actors.Reports;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>What the router must know at the start of an epoch. Local: the router and the coordinator share the control node.</summary>
public sealed record StartRouting(Epoch Epoch, int Lanes, int Replicas, string? Pinned, StepShape Sizes, IReadOnlyList<IActorRef> Stages);

/// <summary>
/// What links cost, as the ranks measured it: once all of them are ready, before the first offer. Local, as <see cref="StartRouting"/>.
/// </summary>
public sealed record LinksMeasured(Epoch Epoch, CostModel Model);

/// <summary>
/// Plans every step: collects the replicas' offers, chooses the strategy, orders all ranks, and can say why. One in the cluster.
/// </summary>
public sealed class RouterActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DecisionLog _decisions;
    private readonly LeaseLog _leases = new();
    private RouterState? _state;
    private IReadOnlyList<IActorRef> _stages = [];

    /// <summary>
    /// A router that keeps as many decisions, grants as long leases, explores as many steps and cuts as many in halves as the options say;
    /// it reports itself to the coordinator.
    /// </summary>
    public RouterActor(IActorRef coordinator, RoutingOptions options)
    {
        _decisions = new DecisionLog(options.History);
        coordinator.Tell(new RouterStarted(Self));
        Receive<StartRouting>(start =>
        {
            var selector = new Selector(CostModel.Guess, SelectorRules.Default with { Pinned = start.Pinned, Explore = options.Explore });
            _stages = start.Stages;
            _state = RouterState.Start(start.Epoch, start.Replicas, start.Lanes, selector, start.Sizes, options.LeaseSteps) with
            {
                Overlap = new OverlapRule(options.Overlap),
            };
        });
        Receive<LinksMeasured>(links =>
        {
            if (links.Epoch == _state?.Epoch) _state = _state with { Selector = _state.Selector with { Model = links.Model } };
        });
        Receive<EpochAborted>(aborted =>
        {
            if (aborted.Epoch == _state?.Epoch) _state = null;
        });
        Receive<StepOffer>(Offer);
        Receive<LeaseEnded>(End);
        Receive<ShadowMismatch>(TakeOut);
        Receive<ReportRequest>(request => Sender.Tell(new Report(request.Epoch, 0, Explain(request))));
    }

    private void Offer(StepOffer offer)
    {
        if (_state is null)
        {
            _log.Debug("dropped an offer of {0}: no epoch is running", offer.Epoch);
            return;
        }
        if (offer.MeasuredUs > 0 && _decisions.Measured(offer.Step, offer.MeasuredUs) is { } outcome)
            _state = _state.Observe(outcome, offer.MeasuredUs);
        if (offer.StepUs > 0 && _decisions.Find(offer.Ran) is { } ran) _state = _state.Ran(ran, offer.Replica, offer.StepUs);
        Publish(_state.On(offer));
    }

    private void End(LeaseEnded ended)
    {
        if (_state?.Lease is not { } lease || ended.Epoch != _state.Epoch || ended.First != lease.Grant.First) return;
        _leases.Add(new LeaseReport(lease, ended));
        if (ended.ExchangeUs > 0 && _decisions.Find(new StepId(ended.First.Value - 1)) is { } decision)
            _state = _state.Observe(decision, ended.ExchangeUs);
        Publish(_state.On(ended));
    }

    private void TakeOut(ShadowMismatch mismatch)
    {
        if (_state is null) return;
        (_state, string? warning) = _state.On(mismatch);
        if (warning is null) return; // known already
        _log.Warning("{0}", warning);
        Publish((_state, null));
    }

    private void Publish((RouterState State, Decision? Decision) outcome)
    {
        for (; outcome.Decision is { } decision; outcome = outcome.State.Plan())
        {
            if (decision.Choice.Warning is { } warning) _log.Warning("{0}", warning);
            _decisions.Add(decision);
            foreach (IActorRef stage in _stages) stage.Tell(decision.Plan);
        }
        (_state, LeaseNote? note) = outcome.State.AskToLeave();
        if (note is not null) _stages[0].Tell(note);
    }

    private string Explain(ReportRequest request)
    {
        if (request.Subject == Subject.Status)
        {
            return JsonSerializer.Serialize(new RouterReport(
                _leases.Newest(_decisions.Last), _state is null ? "none: no epoch is running" : LeaseLog.Describe(_state),
                _leases.StepsByStrategy(_decisions.StepsByStrategy),
                [.. _decisions.Newest(10).Select(Report)])
            {
                OutOfUse = _state?.Selector.OutOfUse.ToDictionary(s => StrategyTable.Name(s.Key), s => s.Value, StringComparer.Ordinal)
                    ?? new Dictionary<string, string>(StringComparer.Ordinal),
                Links = _state?.Selector.Model.Measured,
            }, ReportJson.Default.RouterReport);
        }
        bool asked = long.TryParse(request.Argument, out long step);
        ExplainReport? found = asked
            ? _decisions.Find(new StepId(step)) is { } planned ? Report(planned) : _leases.Explain(new StepId(step), _state, _decisions)
            : _decisions.Last is { } last ? Report(last) with { Summary = DecisionReports.Summarize(_decisions) } : null;
        return found is null ? "" : JsonSerializer.Serialize(found, ReportJson.Default.ExplainReport);
    }

    private static ExplainReport Report(Decision decision) =>
        DecisionReports.Of(decision, decision.Plan.Lease is { } lease ? LeaseLog.Before(lease) : "none");
}
