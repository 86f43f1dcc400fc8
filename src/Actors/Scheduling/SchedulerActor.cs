using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Scheduling;

/// <summary>What a scheduler is started with.</summary>
public sealed record SchedulerSetup(
    Epoch Epoch, int Rank, int Replica, EpochSizes Sizes, RequestIntake Intake, int MaxQueue, TimeSpan RequestTimeout,
    TimeSpan StepDeadline, TimeProvider Clock, IActorRef Coordinator, RoundClock Rounds);

/// <summary>The stage actors of all the replica's ranks, the scheduler's own rank first, and the router; said by that rank.</summary>
public sealed record SchedulerWired(IReadOnlyList<IActorRef> Stages, IActorRef Router);

/// <summary>Serves one replica's requests: takes them in, batches them from step to step, streams their tokens. A shell around
/// <see cref="BatchState"/>.</summary>
public sealed class SchedulerActor : ReceiveActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly SchedulerSetup _setup;
    private readonly BatchState _batch;
    private readonly RequestStreams _streams;
    private readonly StepClock _steps;
    private SchedulerWired? _wired;
    private string? _failure;
    private bool _draining;

    /// <summary>A scheduler that takes requests at once, and runs them when it is wired.</summary>
    public SchedulerActor(SchedulerSetup setup)
    {
        (_setup, _steps) = (setup, new StepClock(setup.Clock, setup.StepDeadline, setup.Sizes.Lanes));
        _batch = new BatchState(setup.Epoch, setup.Replica, setup.Sizes, setup.MaxQueue);
        _streams = new RequestStreams(setup.Epoch, setup.Clock, (sequence, reason) => _batch.End(sequence, reason));
        Receive<SchedulerWired>(wired => _wired = wired);
        Receive<EpochStarted>(_ => Pump());
        Receive<SubmitBatch>(Submit);
        Receive<StepResult>(OnResult);
        Receive<LeaseEnded>(OnEnded);
        Receive<LogitsSlice>(slice =>
        {
            if (_batch.At(slice.Slot) is { } sequence) _streams.Forward(sequence, slice);
        });
        Receive<CancelRequest>(cancel => EndWhere(s => s.Request.Id == cancel.Id, "cancelled", ""));
        Receive<ClientGone>(gone => EndWhere(s => s.ClientId == gone.ClientId, "cancelled", ""));
        Receive<RankFailed>(failed => Fail(failed.Error));
        Receive<Drain>(_ =>
        {
            _draining = true;
            CheckDrained();
        });
        Receive<AskLoad>(_ => Sender.Tell(_batch.Load));
        Receive<ReportRequest>(request => Sender.Tell(new Report(request.Epoch, setup.Replica, Describe())));
        Receive<string>(_ => OnClock());
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartPeriodicTimer("timeouts", "timeouts", TimeSpan.FromSeconds(1));

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _wired = null; // nothing more is offered
        EndWhere(_ => true, "error", _failure ?? "the scheduler's node was stopped");
    }

    private void OnClock()
    {
        EndWhere(s => _setup.Clock.GetElapsedTime(s.Times.Queued) > _setup.RequestTimeout, "timeout",
            $"the request took longer than {_setup.RequestTimeout.TotalSeconds:0} s (troupe.scheduler.request-timeout)");
        if (_failure is not null || _steps.Late() is not { } late) return;
        var failed = new RankFailed(_setup.Epoch, default, _setup.Rank, -1, $"replica {_setup.Replica}: {late}");
        _setup.Coordinator.Tell(failed);
        Fail(failed.Error);
    }

    private void Submit(SubmitBatch submit)
    {
        foreach (RequestSpec request in submit.Requests)
        {
            string? refusal = _failure is not null ? $"the cluster has failed: {_failure}"
                : _draining ? "the cluster is draining: it takes nothing new"
                : submit.Epoch != _setup.Epoch ? $"the request is for {submit.Epoch}, the cluster is in {_setup.Epoch}; connect again"
                    : null;
            Sequence? sequence = null;
            RequestText? text = null;
            if (refusal is null)
            {
                (sequence, text, refusal) = _setup.Intake.Take(request, submit.ClientId, submit.Client, _setup.Clock.GetTimestamp());
                if (sequence is not null) refusal = _batch.Enqueue(sequence);
            }
            if (refusal is not null)
            {
                submit.Client.Tell(new RequestEnded(_setup.Epoch, default, request.Id, "refused", refusal, 0, 0, 0, 0));
                continue;
            }
            _streams.Open(sequence!, text!);
            submit.Client.Tell(new RequestAccepted(_setup.Epoch, request.Id, _setup.Replica, sequence!.Prompt));
        }
        Pump();
    }

    private void OnResult(StepResult result)
    {
        if (result.Epoch != _setup.Epoch || result.Replica != _setup.Replica || (uint)result.Lane >= (uint)_setup.Sizes.Lanes) return;
        LaneNews news = _batch.On(result);
        if (news == LaneNews.Stale) return;
        _streams.Take(result, _batch);
        _batch.Settle(result, news);
        // Under a lease the lane's next step runs already, unless the lane is dry.
        _steps.Lane(result.Lane, waits: news == LaneNews.GoesOn && result.Tokens.Count > 0);
        // Sequences that were waiting for this step to end, whether they ran to their end in it or were given up, are gone now.
        if (news == LaneNews.Freed) OfferOrPass(result.Lane, result);
        Pump();
        CheckDrained();
    }

    private void OnEnded(LeaseEnded ended)
    {
        if (ended.Epoch != _setup.Epoch) return;
        _steps.Lease(waits: false);
        foreach (int lane in _batch.On(ended))
        {
            _steps.Lane(lane, waits: false);
            OfferOrPass(lane, null);
        }
        Pump();
        CheckDrained();
    }

    /// <summary>
    /// Offers a step on every lane that has work and none running. Lanes that go on by themselves are left for what they do not hold.
    /// </summary>
    private void Pump()
    {
        for (int lane = 0; lane < _setup.Sizes.Lanes; lane++) Offer(lane, null);
        if (_wired is null || _failure is not null || _batch.Note() is not { } note) return;
        if (note.Leave) _steps.Lease(waits: true);
        _wired.Stages[0].Tell(note);
    }

    /// <summary>Offers a lane, or says that it has nothing, so that the others need not wait for it.</summary>
    private void OfferOrPass(int lane, StepResult? last)
    {
        if (!Offer(lane, last)) _wired?.Router.Tell(new StepOffer(
            _setup.Epoch, last?.Exchanged ?? default, _setup.Replica, lane, 0, StepKind.Decode, 0, last?.ExchangeUs ?? 0,
            last?.Step ?? default, last?.StepUs ?? 0));
    }

    private bool Offer(int lane, StepResult? last)
    {
        if (_wired is null || _failure is not null) return false;
        var admitted = new List<Sequence>();
        BatchDelta? delta = _batch.Compose(lane, admitted);
        long now = _setup.Clock.GetTimestamp();
        foreach (Sequence sequence in admitted) sequence.Times = sequence.Times with { Admitted = now };
        if (delta is null) return false;
        _steps.Lane(lane, waits: true);
        StepKind kind = delta.Work.Any(w => _batch.At(w.Slot)!.Generated.Count == 0) ? StepKind.Prefill : StepKind.Decode;
        _setup.Rounds.Offered(lane, delta.Version);
        // The router first: it plans while the batch travels; a stage waits for both.
        _wired.Router.Tell(new StepOffer(_setup.Epoch, last?.Exchanged ?? default, _setup.Replica, lane, delta.Work.Sum(w => w.Rows), kind,
            delta.Version, last?.ExchangeUs ?? 0, last?.Step ?? default, last?.StepUs ?? 0));
        foreach (IActorRef stage in _wired.Stages) stage.Tell(delta);
        return true;
    }

    private void EndWhere(Func<Sequence, bool> which, string reason, string error)
    {
        foreach (Sequence sequence in _batch.All.Where(s => s.Ending is null && which(s)).ToList())
        {
            _streams.Close(sequence, default, reason, error);
            _batch.End(sequence, reason);
        }
        Pump();
        CheckDrained();
    }

    private void Fail(string error)
    {
        if (_failure is not null) return;
        _failure = error;
        _log.Error("replica {0}: {1}", _setup.Replica, error);
        EndWhere(_ => true, "error", error);
    }

    private void CheckDrained()
    {
        if (_draining && _batch.IsIdle) _setup.Coordinator.Tell(new Drained(_setup.Epoch, _setup.Replica));
    }

    private string Describe() => JsonSerializer.Serialize(
        new SchedulerReport(_setup.Replica, _batch.Queued, _batch.Running, _streams.Finished, _batch.FreeBlocks, _setup.Sizes.Blocks)
            { MetadataRoundUs = _setup.Rounds.MedianUs }, ReportJson.Default.SchedulerReport);
}
