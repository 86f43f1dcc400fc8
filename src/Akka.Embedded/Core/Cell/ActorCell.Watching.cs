namespace Akka.Actor;

/// <summary>Wakes an actor to see whether its receive timeout has passed.</summary>
internal sealed record ReceiveTimeoutCheck(int Generation)
    : IAutoReceivedMessage, INotInfluenceReceiveTimeout, Event.IDeadLetterSuppression;

/// <summary>Death watch, from both sides, and the receive timeout.</summary>
internal sealed partial class ActorCell
{
    /// <summary>Whom we watch, with the message wanted instead of Terminated, or null.</summary>
    private Dictionary<IActorRef, object> _watching;

    /// <summary>Whose Terminated waits in our mailbox.</summary>
    private Dictionary<IActorRef, object> _ended;

    private HashSet<InternalActorRef> _watchers;
    private TimeSpan? _receiveTimeout;
    private TimeSpan _lastActivity;
    private Cancelable _timeoutCheck;
    private int _timeoutGeneration;

    public IActorRef Watch(IActorRef subject) => WatchWith(subject, null);

    public IActorRef WatchWith(IActorRef subject, object message)
    {
        var watchee = (InternalActorRef)subject;
        if (!watchee.Equals(_self) && (_watching ??= []).TryAdd(watchee, message)) watchee.SendSystemMessage(new Watch(watchee, _self));
        return subject;
    }

    public IActorRef Unwatch(IActorRef subject)
    {
        var watchee = (InternalActorRef)subject;
        if (_watching is not null && _watching.Remove(watchee)) watchee.SendSystemMessage(new Unwatch(watchee, _self));
        _ended?.Remove(watchee);
        return subject;
    }

    private void UnwatchAll()
    {
        if (_watching is null) return;
        foreach (var watchee in _watching.Keys.ToArray()) Unwatch(watchee);
    }

    private void AddWatcher(Watch watch)
    {
        if (!watch.Watcher.Equals(_self)) (_watchers ??= []).Add(watch.Watcher);
    }

    private void TellWatchers(DeathWatchNotification death)
    {
        if (_watchers is null) return;
        foreach (var watcher in _watchers)
        {
            if (!watcher.Equals(_parent)) watcher.SendSystemMessage(death);
        }
        _watchers = null;
    }

    private void OnDeath(DeathWatchNotification death)
    {
        if (_watching is not null && _watching.Remove(death.Actor, out object custom) && _state != CellState.Terminating)
        {
            (_ended ??= [])[death.Actor] = custom;
            Tell(new Terminated(death.Actor, death.ExistenceConfirmed, death.AddressTerminated), death.Actor);
        }
        if (FindChild(death.Actor) is not null) RemoveChild(death.Actor);
    }

    private void ReceiveTerminated(Terminated terminated)
    {
        // One that was unwatched meanwhile, or that somebody made up, is dropped.
        if (_ended is null || !_ended.Remove(terminated.ActorRef, out object custom)) return;
        if (custom is not null) _current = new Envelope(custom, _current.Sender);
        ReceiveUser(custom ?? terminated);
    }

    public TimeSpan? ReceiveTimeout => _receiveTimeout;

    public void SetReceiveTimeout(TimeSpan? timeout)
    {
        _receiveTimeout = timeout;
        _timeoutGeneration++;
        _timeoutCheck?.Cancel();
        if (timeout is not { } length) return;
        _lastActivity = _system.Scheduler.MonotonicClock;
        ScheduleTimeoutCheck(length);
    }

    private void NoteActivity(object message)
    {
        if (message is not INotInfluenceReceiveTimeout) _lastActivity = _system.Scheduler.MonotonicClock;
    }

    private void CheckReceiveTimeout(ReceiveTimeoutCheck check)
    {
        if (check.Generation != _timeoutGeneration || _receiveTimeout is not { } timeout) return;
        var left = timeout - (_system.Scheduler.MonotonicClock - _lastActivity);
        if (left > TimeSpan.Zero)
        {
            ScheduleTimeoutCheck(left);
            return;
        }
        _lastActivity = _system.Scheduler.MonotonicClock;
        ScheduleTimeoutCheck(timeout);
        _current = new Envelope(Actor.ReceiveTimeout.Instance, _self);
        ReceiveUser(Actor.ReceiveTimeout.Instance);
    }

    private void ScheduleTimeoutCheck(TimeSpan delay)
    {
        _timeoutCheck = new Cancelable(_system.Scheduler);
        _system.Scheduler.ScheduleTellOnce(delay, _self, new ReceiveTimeoutCheck(_timeoutGeneration), _self, _timeoutCheck);
    }
}
