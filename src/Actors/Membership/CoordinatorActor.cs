using System.Collections.Immutable;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.Fabric;

namespace Troupe.Actors.Membership;

/// <summary>A lifeline ended, or was silent for too long; said by the lifeline server.</summary>
public sealed record LifelineLost(string Token, bool Silent);

/// <summary>
/// A local child process has ended; said by whoever started it. <paramref name="How"/> ends a sentence: <c>was killed by signal 9</c>.
/// </summary>
public sealed record ChildEnded(int Pid, string How);

/// <summary>Stop accepting, let running requests end, stop the nodes.</summary>
public sealed record BeginDrain;

/// <summary>
/// Keeps layout, epoch and readiness: a shell around <see cref="CoordinatorState"/>. It holds the lifelines, and answers the state tooling.
/// </summary>
public sealed class CoordinatorActor : ReceiveActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CoordinatorSetup _setup;
    private readonly LifelineServer? _lifeline;
    private readonly HostProbe? _probe = HostProbe.TryCreate();
    private readonly ClientRegistry _clients = new();
    private CoordinatorState _state;
    private IActorRef? _router;
    private StepShape? _shape;

    /// <summary>A coordinator; it listens for lifelines at once.</summary>
    public CoordinatorActor(CoordinatorSetup setup)
    {
        _setup = setup;
        _state = CoordinatorState.Start(setup.Terms);
        IActorRef self = Self;
        if (setup.LifelineHost.Length > 0)
        {
            _lifeline = new LifelineServer(setup.LifelineHost, setup.LifelinePort,
                (token, silent) => self.Tell(new LifelineLost(token, silent), ActorRefs.NoSender));
        }
        ReceiveMembership();
        ReceiveEnds();
        ReceiveClients();
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartSingleTimer("join", "join", _setup.JoinDeadline);

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _lifeline?.Dispose();
        _probe?.Dispose();
    }

    private void ReceiveMembership()
    {
        Receive<JoinRequest>(join =>
        {
            string token = NewToken();
            Apply(_state.On(join, new JoinAccepted(_setup.LifelineHost, _lifeline?.Port ?? 0, token, _probe?.Name ?? "")));
        });
        Receive<NodeAttached>(attached => Apply(_state.On(attached)));
        Receive<LoadProgress>(progress => Apply(_state.On(progress)));
        Receive<Prepared>(prepared => Apply(_state.On(prepared)));
        Receive<RankReady>(ready => Apply(_state.On(ready)));
        Receive<RouterStarted>(started =>
        {
            _router = started.Router;
            StartRouter();
        });
    }

    private void ReceiveEnds()
    {
        Receive<LifelineLost>(lost =>
        {
            if (_clients.Remove(lost.Token) is { } gone)
            {
                foreach (IActorRef scheduler in _state.Schedulers) scheduler.Tell(new ClientGone(_state.Epoch, gone));
            }
            else
            {
                Apply(_state.OnLost(lost.Token, lost.Silent ? _setup.Silence : null));
            }
        });
        Receive<RankFailed>(failed =>
        {
            // Who waits in vain blames whom it waits for, who may wait for another: a process that says nothing at all is behind it.
            string? quiet = failed.Culprit < 0 ? null : _lifeline?.Quietest(_state.Nodes.Keys, _setup.Silence / 2);
            if (quiet is not null) failed = _state.Blame(failed, quiet, _setup.Silence);
            Apply(_state.On(failed));
        });
        Receive<ChildEnded>(ended => Apply(_state.OnChildEnded(ended)));
        Receive<BeginDrain>(_ =>
        {
            Timers.StartSingleTimer("drain", "drain", _setup.DrainDeadline);
            Apply(_state.OnDrain());
        });
        Receive<Drained>(drained => Apply(_state.On(drained)));
        Receive<string>(timer =>
        {
            if (timer == "reports") Apply(_state.OnReportsDue());
            else if (timer == "drain")
                Apply(_state.OnGiveUp($"requests still ran {_setup.DrainDeadline.TotalSeconds:0} s after the drain began"));
            else if (timer == "join" && _state.Phase == ClusterPhase.Gathering)
                Apply(_state.OnGiveUp($"waited {_setup.JoinDeadline.TotalSeconds:0} s for {_state.WaitingFor}"));
        });
    }

    private void ReceiveClients()
    {
        Receive<Connect>(connect =>
        {
            string token = _clients.Add(connect, NewToken);
            if (token.Length > 0) _lifeline?.Expect(token);
            bool ready = _state.Phase == ClusterPhase.Ready;
            connect.Client.Tell(new Connected(_state.Epoch, ready, _state.WaitingFor ?? "", _setup.LifelineHost, _lifeline?.Port ?? 0,
                token,
                ready ? _state.Schedulers : []));
        });
        Receive<CancelRequest>(cancel =>
        {
            foreach (IActorRef scheduler in _state.Schedulers) scheduler.Tell(cancel);
        });
        Receive<SpansRequest>(ask => TraceQuestions.SpansAsync(ask, new InspectedCluster(_state, _router, Self)).PipeTo(Sender, Self));
        Receive<Inspect>(inspect => _setup.Inspector.Answer(inspect, new InspectedCluster(_state, _router, Self)).PipeTo(Sender, Self));
    }

    private void Apply((CoordinatorState State, ImmutableList<Effect> Effects) outcome)
    {
        bool changed = !ReferenceEquals(_state, outcome.State);
        _state = outcome.State;
        foreach (Effect effect in outcome.Effects) Do(effect);
        if (_state.Phase != ClusterPhase.Gathering) _probe?.Dispose();
        if (changed) _setup.Observer.Changed(_state);
    }

    private void Do(Effect effect)
    {
        switch (effect)
        {
            case Effect.Tell tell:
                tell.To.Tell(tell.Message);
                break;
            case Effect.Expect expect:
                // What a node says on the fabric has the same deadline; there the error knows step and layer: let it come first.
                _lifeline?.Expect(expect.Token, _setup.Silence + (2 * Lifeline.Beat));
                break;
            case Effect.Down down:
                _setup.Port.Down(down.Address);
                break;
            case Effect.Warn warn:
                _setup.Observer.Warned(warn.Line);
                break;
            case Effect.StartRouter:
                _shape = _state.Place(_setup.Shape);
                StartRouter();
                break;
            case Effect.BecameReady ready:
                var model = CostModel.From(ready.Measured, ready.Cores);
                _router?.Tell(new LinksMeasured(_state.Epoch, model));
                _log.Info("ready: {0} over {1}; links: {2}", _state.Terms.Layout, _state.Fabric, model.Measured ?? "not measured");
                break;
            case Effect.CollectReports:
                _router?.Tell(new EpochAborted(_state.Epoch, default, -1, ""));
                Timers.StartSingleTimer("reports", "reports", _setup.AbortReport);
                break;
            case Effect.End end:
                foreach (IActorRef client in _clients.All)
                    client.Tell(new ClusterEnded(_state.Epoch, end.Error ?? "the cluster was stopped"));
                _setup.Observer.Ended(end.Error);
                break;
        }
    }

    /// <summary>
    /// Starts the epoch's routing once both the ranks are prepared and the router's singleton has come up, in whichever order.
    /// </summary>
    private void StartRouter()
    {
        if (_router is null || _shape is null || _state.Phase != ClusterPhase.Checking) return;
        ClusterTerms terms = _state.Terms;
        _router.Tell(new StartRouting(_state.Epoch, terms.Sizes.Lanes, terms.Layout.Replicas,
            terms.Strategy == "auto" ? null : terms.Strategy, _shape, [.. _state.ByRank.Select(n => n.Prepared!.StageRef)]));
        _shape = null;
        Apply(_state.OnRouter(_router));
    }

    private static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Lifeline.TokenLength / 2));
}
