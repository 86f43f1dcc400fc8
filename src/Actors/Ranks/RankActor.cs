using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Configuration;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Actors.Scheduling;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// Owns everything of its rank: executor thread, device, fabric, shard, KV cache. Keeps the mailbox free for abort and status while the
/// executor computes; passes steps in and outcomes out.
/// </summary>
public sealed class RankActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Assign _assign;
    private readonly RankSetup _setup;
    private readonly IActorRef _coordinator;
    private readonly World _world;
    private readonly RankPlace _place;
    private readonly RankExecutor _executor;
    private readonly IActorRef _stage;
    private readonly IActorRef? _ownScheduler;
    private IActorRef _scheduler = ActorRefs.Nobody, _router = ActorRefs.Nobody;
    private RankRuntime? _runtime;
    private EpochAborted? _aborted;
    private bool _failed;
    private int _inHand;

    /// <summary>A rank that starts loading at once.</summary>
    public RankActor(RankSetup setup, Assign assign, IActorRef coordinator)
    {
        (_setup, _assign, _coordinator) = (setup, assign, coordinator);
        _world = new World(setup.Layout);
        _place = _world.Place(_world.Rank(assign.Rank));
        IActorRef self = Self;
        _executor = new RankExecutor($"rank {assign.Rank}", () => new StepOutcome(assign.Sizes.MaxRunning), () =>
            self.Tell(Drain.Instance, ActorRefs.NoSender));
        RoundClock? rounds = _place is { Stage: 0, Tensor: 0 } ? new RoundClock(setup.Clock, assign.Sizes.Lanes) : null;
        _stage = Context.ActorOf(Props.Create(() => new StageActor(assign.Epoch, _place.Replica, self, rounds))
            .WithDispatcher(ReferenceConfig.StepDispatcher), "stage");
        if (rounds is not null)
            _ownScheduler = SchedulerFactory.Start(Context, setup, assign, _place.Replica, coordinator, rounds);
        Receive<RankRuntime>(OnLoaded);
        Receive<WireUp>(OnWire);
        Receive<SelfChecked>(check =>
        {
            if (check.Links is { } links) _log.Info("measured its links in {0:0} ms: {1}", check.LinksMs, links);
            _coordinator.Tell(new RankReady(_assign.Epoch, _assign.Rank, check.Milliseconds, Environment.ProcessorCount, check.Links));
        });
        Receive<StageStep>(OnStep);
        Receive<LeaseNote>(note =>
        {
            if (!_executor.Notes.Add(note))
                Fail(new InvalidOperationException($"{LeaseNotes.Capacity} notes about the lease from {note.Step} wait already"));
        });
        Receive<Drain>(_ => OnDrain());
        Receive<EpochAborted>(OnAborted);
        Receive<Status.Failure>(failure => Fail(failure.Cause));
        Receive<ReportRequest>(request => Sender.Tell(RankReports.Make(request, _assign, _place, _runtime)));
        Receive<SpansRequest>(request => Sender.Tell(RankTraces.Answer(request, _assign, _runtime?.Trace)));
        Receive<ClockPing>(_ => Sender.Tell(RankTraces.Answer(_assign, _setup.Clock)));
        Receive<StopNode>(_ => _runtime?.Fabric?.Abort(null, "the node was stopped"));
    }

    /// <inheritdoc/>
    protected override void PreStart()
    {
        if (FaultDrill.Announce(_setup.Drill, _assign.Rank) is { } announced) _log.Warning(announced);
        IActorRef coordinator = _coordinator;
        (RankSetup setup, Assign assign) = (_setup, _assign);
        _executor.Run(() => new RankRuntime(setup, assign,
            fraction => coordinator.Tell(new Protocols.LoadProgress(assign.Epoch, assign.Rank, "weights", fraction), ActorRefs.NoSender)))
                .PipeTo(Self);
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _runtime?.Fabric?.Abort(null, "the rank was stopped");
        _executor.Dispose();
    }

    private void OnLoaded(RankRuntime runtime)
    {
        _runtime = runtime;
        int first = runtime.Spec.First.Value;
        string experts = runtime.Spec.Experts.Count == 0 ? "" : $"{runtime.Spec.Experts[0].Value}-{runtime.Spec.Experts[^1].Value}";
        _coordinator.Tell(new Prepared(_assign.Epoch, _assign.Rank, runtime.Descriptor, $"{first}-{first + runtime.Spec.Layers - 1}",
            experts,
            runtime.Shard.WeightBytes, Self, _stage, _ownScheduler));
    }

    private void OnWire(WireUp wire)
    {
        if (wire.Epoch != _assign.Epoch || _runtime is not { } runtime) return;
        (_scheduler, _router) = (wire.Schedulers[_place.Replica], wire.Router);
        _ownScheduler?.Tell(new SchedulerWired(
            [.. Enumerable.Range(0, _setup.Layout.Stages).SelectMany(stage => _world.TensorRanks(stage, _place.Replica).Members)
                .Select(rank => wire.Stages[rank.Value])], wire.Router));
        (RankExecutor executor, TimeProvider clock) = (_executor, _setup.Clock);
        executor.Run(() =>
        {
            runtime.Connect(wire.Descriptors);
            long connected = clock.GetTimestamp();
            LinkCalibration? links = runtime.Calibrate();
            double linksMs = clock.GetElapsedTime(connected).TotalMilliseconds;
            executor.Runner = new StepRunner(runtime, executor);
            return SelfCheck.Run(runtime, executor.Runner) with { Links = links, LinksMs = linksMs };
        }).PipeTo(Self);
    }

    private void OnStep(StageStep step)
    {
        if (_failed) return;
        if (_executor.Enqueue(step)) _inHand++;
        else Fail(new InvalidOperationException(
            $"{step.Plan.Step} came while {RankExecutor.Capacity} steps wait already: the router is ahead of its lanes"));
    }

    private void OnDrain()
    {
        while (_executor.TryDrain(Report))
        {
            // Each call takes one outcome.
        }
        if (_aborted is { } aborted) FailIfIdle(aborted);
    }

    private void Report(StepOutcome outcome)
    {
        if (!outcome.IsLeased) _inHand--;
        if (outcome.Error is not null)
        {
            Fail(outcome.Error);
            return;
        }
        if (outcome.Mismatch is { } m)
            _router.Tell(new ShadowMismatch(_assign.Epoch, outcome.Step, _assign.Rank, m.Strategy, m.At.Layer.Value, m.Row, m.Value, m.Got,
                m.Wanted));
        if (outcome.Ended is { } ended)
        {
            _ownScheduler?.Tell(ended);
            if (_assign.Rank == 0) _router.Tell(ended);
        }
        // The first tensor rank of the last stage speaks for all: it draws.
        if (_place.Stage != _setup.Layout.Stages - 1 || _place.Tensor > 0 || (outcome.Rows == 0 && !outcome.RanDry)) return;
        foreach ((int slot, float[] logits) in outcome.Logits)
        {
            for (int at = 0; at < logits.Length; at += LogitsSlice.MaxValues)
                _scheduler.Tell(new LogitsSlice(_assign.Epoch, outcome.Step, _place.Replica, slot, at,
                    logits[at..Math.Min(logits.Length, at + LogitsSlice.MaxValues)]));
        }
        _scheduler.Tell(new StepResult(_assign.Epoch, outcome.Step, _place.Replica, outcome.Lane, outcome.Tokens[..outcome.TokenCount],
            [.. outcome.Scores], outcome.StepUs, outcome.ExchangeUs, outcome.Lease, outcome.Exchanged));
    }

    private void OnAborted(EpochAborted aborted)
    {
        if (aborted.Epoch != _assign.Epoch || _aborted is not null) return;
        _aborted = aborted;
        _runtime?.Fabric?.Abort(aborted.Culprit >= 0 ? _world.Rank(aborted.Culprit) : null, aborted.Reason);
        FailIfIdle(aborted);
    }

    /// <summary>An executor with a step in hand, or under a lease, reports where it was; an idle one has nothing to wait for.</summary>
    private void FailIfIdle(EpochAborted aborted)
    {
        if (_inHand > 0 || _executor.IsLeased) return;
        Fail(new FabricException(_world.Rank(_assign.Rank), aborted.Culprit >= 0 ? _world.Rank(aborted.Culprit) : null,
            new StepPoint(_assign.Epoch, default, default, StepPhase.Idle), aborted.Reason));
    }

    private void Fail(Exception error)
    {
        if (_failed) return;
        _failed = true;
        RankFailed failed = RankReports.Failure(error, _assign, _runtime);
        _log.Error(failed.Error);
        // Peers prefix what they hear with the culprit's name.
        string reason = error is FabricException fabric ? fabric.Reason : error.Message;
        _runtime?.Fabric?.Abort(failed.Culprit >= 0 ? _world.Rank(failed.Culprit) : null, reason);
        _coordinator.Tell(failed);
        _ownScheduler?.Tell(failed);
    }

    /// <summary>Outcomes lie in the executor's ring.</summary>
    private sealed record Drain
    {
        public static readonly Drain Instance = new();
    }
}
