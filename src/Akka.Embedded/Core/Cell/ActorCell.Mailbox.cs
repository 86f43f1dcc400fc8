using System.Collections.Concurrent;

namespace Akka.Actor;

/// <summary>The mailbox: two queues and a flag. System messages go first, before a turn and after each user message in it.</summary>
internal sealed partial class ActorCell
{
    private readonly ConcurrentQueue<Envelope> _user = new();
    private readonly ConcurrentQueue<SystemMessage> _systemQueue = new();

    private Envelope _current;
    private int _scheduled;
    private int _suspended;

    internal bool IsTerminated => _state == CellState.Terminated;

    private bool MayReceive => (_suspended == 0 && _awaiting == 0) || IsTerminated;

    internal void Tell(object message, IActorRef sender)
    {
        ArgumentNullException.ThrowIfNull(message);
        _user.Enqueue(new Envelope(message, sender));
        Schedule();
    }

    internal void Send(SystemMessage message)
    {
        _systemQueue.Enqueue(message);
        Schedule();
    }

    /// <summary>As <see cref="Tell"/>, by a thread that reads from the network.</summary>
    internal void Deliver(object message, IActorRef sender)
    {
        if (!_dispatcher.RunOnReader)
        {
            Tell(message, sender);
            return;
        }
        _user.Enqueue(new Envelope(message, sender));
        if (TakeTurn()) Execute();
    }

    private void Schedule()
    {
        if (TakeTurn()) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    // The exchange is also the fence between enqueuing and looking into the queues at the end of a turn.
    private bool TakeTurn() => Interlocked.Exchange(ref _scheduled, 1) == 0;

    /// <summary>One turn.</summary>
    public void Execute()
    {
        t_current = this;
        DrainSystem();
        for (int left = _dispatcher.Throughput; left > 0 && MayReceive && _user.TryDequeue(out var envelope); left--)
        {
            if (IsTerminated) Bury(envelope);
            else Handle(envelope);
            DrainSystem();
        }
        t_current = null;
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_systemQueue.IsEmpty || (MayReceive && !_user.IsEmpty)) Schedule();
    }

    /// <summary>A dead letter of a dead letter would go on for ever.</summary>
    private void Bury(in Envelope envelope)
    {
        if (envelope.Message is not Event.AllDeadLetters) _system.PublishDeadLetter(envelope.Message, envelope.Sender, _self);
    }

    private void Handle(in Envelope envelope)
    {
        _current = envelope;
        try
        {
            if (envelope.Message is IAutoReceivedMessage) AutoReceive(envelope.Message);
            else ReceiveUser(envelope.Message);
        }
        catch (Exception failure)
        {
            Fail(failure);
        }
        FinishMessage();
    }

    /// <summary>While a task runs or the actor has failed, the message and its sender are still needed.</summary>
    private void FinishMessage()
    {
        if (_awaiting > 0) return;
        if (_receiveTimeout is not null) NoteActivity(_current.Message);
        if (_culprit is null) _current = default;
    }

    private void DrainSystem()
    {
        while (_systemQueue.TryDequeue(out var message))
        {
            try
            {
                if (IsTerminated) message.AnswerForTheDead();
                else HandleSystem(message);
            }
            catch (Exception failure)
            {
                Fail(failure);
            }
        }
    }

    private void HandleSystem(SystemMessage message)
    {
        switch (message)
        {
            case TaskWork work: RunContinuation(work.Task); break;
            case TaskDone done: OnTaskDone(done); break;
            case Watch watch: AddWatcher(watch); break;
            case Unwatch unwatch: _watchers?.Remove(unwatch.Watcher); break;
            case DeathWatchNotification death: OnDeath(death); break;
            case Failed failed when _awaiting > 0: (_failuresWhileAwaiting ??= []).Add(failed); break;
            case Failed failed: OnChildFailed(failed); break;
            case CreateMessage: Create(); break;
            case Suspend: OnSuspend(); break;
            case Resume resume: OnResume(resume.Cause); break;
            case Recreate recreate: OnRecreate(recreate.Cause); break;
            case StopMessage: Terminate(); break;
            default: throw new InvalidOperationException($"an unknown system message {message.GetType()}");
        }
    }
}
