using Akka.Actor;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Client;

/// <summary>Submit these; <paramref name="OnEvent"/> is called from the actor for each change of an outcome.</summary>
internal sealed record RunBatch(IReadOnlyList<RequestSpec> Requests, Action<RequestOutcome, string>? OnEvent,
    TaskCompletionSource<IReadOnlyList<RequestOutcome>> Done);

/// <summary>Completes once the cluster is ready, or faults.</summary>
internal sealed record AwaitReady(Action<string>? Waiting, TaskCompletionSource Done);

/// <summary>
/// The client of a cluster: finds the schedulers through any node, submits batches, collects what streams back. It holds a lifeline to the
/// control node, so that each side notices the other's death at once.
/// </summary>
public sealed class ClientActor : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(100), LoadDeadline = TimeSpan.FromSeconds(2);
    private readonly ICanTell _gateway;
    private readonly string _id;
    private readonly Dictionary<string, RequestOutcome> _outcomes = new(StringComparer.Ordinal);
    private readonly List<AwaitReady> _awaiting = [];
    private readonly List<RunBatch> _batches = [];
    private readonly List<RequestSpec> _unsent = [];
    private IReadOnlyList<IActorRef> _schedulers = [];
    private LoadBalance _balance = LoadBalance.Of(1);
    private Connected? _connected;
    private Lifeline? _lifeline;
    private bool _attaching;
    private string? _ended;

    /// <summary>A client that talks to a gateway.</summary>
    public ClientActor(ICanTell gateway, string id)
    {
        (_gateway, _id) = (gateway, id);
        Receive<AwaitReady>(wait =>
        {
            if (_ended is not null) wait.Done.TrySetException(new ClusterException(_ended));
            else if (_schedulers.Count > 0) wait.Done.TrySetResult();
            else _awaiting.Add(wait);
        });
        Receive<string>(timer =>
        {
            if (timer == "loads") Send();
            else AskAgain();
        });
        Receive<ReplicaLoad>(load =>
        {
            if (load.Epoch == _connected?.Epoch) _balance = _balance.On(load);
            if (_balance.IsComplete) Send();
        });
        Receive<Connected>(OnConnected);
        Receive<LifelineHeld>(held => _lifeline = held.Lifeline);
        Receive<RunBatch>(Run);
        Receive<CancelRequest>(Cancel);
        Receive<RequestAccepted>(m => On(m.Id, o => (o.Replica, o.PromptIds) = (m.Replica, m.PromptIds), ""));
        Receive<TokenChunk>(m => On(m.Id, o => o.Add(m), m.Text));
        Receive<ScoreChunk>(m => On(m.Id, o => o.Add(m), ""));
        Receive<LogitsChunk>(m => On(m.Id, o => o.Add(m), ""));
        Receive<RequestEnded>(m =>
        {
            On(m.Id, o => o.End(m.Reason, m.Error, m.QueueMs, m.PrefillMs, m.DecodeMs), "");
            Complete();
        });
        Receive<ClusterEnded>(m => End(m.Error));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => AskAgain();

    /// <inheritdoc/>
    protected override void PostStop() => _lifeline?.Dispose();

    private void AskAgain()
    {
        if (_schedulers.Count > 0 || _ended is not null) return;
        _gateway.Tell(new Connect(_id, Self), Self);
        Timers.StartSingleTimer("again", "again", Retry);
    }

    private void OnConnected(Connected connected)
    {
        if (_schedulers.Count > 0) return;
        _connected = connected;
        if (connected.Token.Length > 0 && !_attaching)
        {
            IActorRef self = Self;
            _attaching = true;
            Lifeline.ConnectAsync(connected.LifelineHost, connected.LifelinePort, connected.Token,
                    () => self.Tell(new ClusterEnded(default, "the control node is gone: its connection ended"), ActorRefs.NoSender),
                        CancellationToken.None)
                .PipeTo(self, success: l => new LifelineHeld(l), failure: e => new ClusterEnded(default,
                    $"cannot reach the control node's lifeline at {connected.LifelineHost}:{connected.LifelinePort}: {e.Message}"));
        }
        foreach (AwaitReady wait in _awaiting) wait.Waiting?.Invoke(connected.WaitingFor);
        if (!connected.Ready) return;
        (_schedulers, _balance) = (connected.Schedulers, LoadBalance.Of(connected.Schedulers.Count));
        Timers.CancelAll();
        foreach (RunBatch batch in _batches) Submit(batch);
        foreach (AwaitReady wait in _awaiting) wait.Done.TrySetResult();
        _awaiting.Clear();
    }

    private void Run(RunBatch batch)
    {
        _batches.Add(batch);
        foreach (RequestSpec request in batch.Requests) _outcomes[request.Id] = new RequestOutcome(request);
        if (_ended is not null) End(_ended);
        else if (_schedulers.Count > 0) Submit(batch); // else it is submitted once the cluster is ready
        Complete();
    }

    /// <summary>Several replicas are asked first how much they have to do; batches that come meanwhile wait for the same answers.</summary>
    private void Submit(RunBatch batch)
    {
        bool asked = _unsent.Count > 0;
        _unsent.AddRange(batch.Requests);
        if (_schedulers.Count == 1) Send();
        if (asked || _unsent.Count == 0) return;
        _balance = _balance.Forget();
        foreach (IActorRef scheduler in _schedulers) scheduler.Tell(new AskLoad(_connected!.Epoch), Self);
        Timers.StartSingleTimer("loads", "loads", LoadDeadline);
    }

    /// <summary>A request that still waits for the replicas' answers is not known to any scheduler.</summary>
    private void Cancel(CancelRequest cancel)
    {
        if (_unsent.RemoveAll(request => request.Id == cancel.Id) == 0)
        {
            _gateway.Tell(cancel, Self);
            return;
        }
        On(cancel.Id, o => o.End("cancelled", "", 0, 0, 0), "");
        Complete();
    }

    /// <summary>One message for each request: a message is bounded, a batch is not.</summary>
    private void Send()
    {
        Timers.Cancel("loads");
        foreach (RequestSpec request in _unsent)
        {
            (_balance, int replica) = _balance.Choose(request);
            _schedulers[replica].Tell(new SubmitBatch(_connected!.Epoch, _id, Self, [request]));
        }
        _unsent.Clear();
    }

    private void On(string id, Action<RequestOutcome> change, string text)
    {
        if (!_outcomes.TryGetValue(id, out RequestOutcome? outcome)) return;
        change(outcome);
        foreach (RunBatch batch in _batches)
            if (batch.Requests.Contains(outcome.Request)) batch.OnEvent?.Invoke(outcome, text);
    }

    private void Complete()
    {
        foreach (RunBatch batch in _batches.ToArray())
        {
            RequestOutcome[] outcomes = [.. batch.Requests.Select(r => _outcomes[r.Id])];
            if (outcomes.Any(o => o.FinishReason is null)) continue;
            _batches.Remove(batch);
            foreach (RequestSpec request in batch.Requests) _outcomes.Remove(request.Id);
            batch.Done.TrySetResult(outcomes);
        }
    }

    private void End(string error)
    {
        _ended ??= error;
        foreach (RequestOutcome outcome in _outcomes.Values.ToArray())
        {
            if (outcome.FinishReason is null) On(outcome.Request.Id, o => o.End("error", _ended, 0, 0, 0), "");
        }
        Complete();
        foreach (AwaitReady wait in _awaiting) wait.Done.TrySetException(new ClusterException(_ended));
        _awaiting.Clear();
    }

    private sealed record LifelineHeld(Lifeline? Lifeline);
}

/// <summary>The cluster cannot do what was asked, in one line.</summary>
public sealed class ClusterException(string message) : Exception(message);
