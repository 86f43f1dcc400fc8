namespace Akka.Actor;

/// <summary>Messages to oneself, by key. All end with the instance; late ones of a replaced or cancelled timer are dropped.</summary>
public interface ITimerScheduler
{
    void StartPeriodicTimer(object key, object msg, TimeSpan interval);
    void StartPeriodicTimer(object key, object msg, TimeSpan initialDelay, TimeSpan interval);
    void StartSingleTimer(object key, object msg, TimeSpan timeout);
    bool IsTimerActive(object key);
    void Cancel(object key);
    void CancelAll();
}

/// <summary>Asks for timers; they are set before the constructor's body runs.</summary>
public interface IWithTimers
{
    ITimerScheduler Timers { get; set; }
}

/// <summary>What a timer really sends: generation tells its timer from later ones under the same key.</summary>
internal sealed record TimerMessage(object Key, object Message, long Generation, bool Single)
    : IAutoReceivedMessage, INotInfluenceReceiveTimeout, Event.IDeadLetterSuppression;

internal sealed class ActorTimers(ActorCell cell) : ITimerScheduler
{
    private readonly Dictionary<object, (long Generation, Cancelable Schedule)> _active = [];
    private long _lastGeneration;

    public void StartPeriodicTimer(object key, object msg, TimeSpan interval) => Start(key, msg, interval, interval);

    public void StartPeriodicTimer(object key, object msg, TimeSpan initialDelay, TimeSpan interval) =>
        Start(key, msg, initialDelay, interval);

    public void StartSingleTimer(object key, object msg, TimeSpan timeout) => Start(key, msg, timeout, null);

    public bool IsTimerActive(object key) => _active.ContainsKey(key);

    public void Cancel(object key)
    {
        if (_active.Remove(key, out var timer)) timer.Schedule.Cancel();
    }

    public void CancelAll()
    {
        foreach (var (_, schedule) in _active.Values) schedule.Cancel();
        _active.Clear();
    }

    /// <summary>Whether the message is of a timer that still runs.</summary>
    internal bool Accepts(TimerMessage message)
    {
        if (!_active.TryGetValue(message.Key, out var timer) || timer.Generation != message.Generation) return false;
        if (message.Single) _active.Remove(message.Key);
        return true;
    }

    private void Start(object key, object message, TimeSpan delay, TimeSpan? interval)
    {
        Cancel(key);
        var scheduler = cell.System.Scheduler;
        var wrapped = new TimerMessage(key, message, ++_lastGeneration, interval is null);
        var schedule = new Cancelable(scheduler);
        if (interval is { } every) scheduler.ScheduleTellRepeatedly(delay, every, cell.Self, wrapped, null, schedule);
        else scheduler.ScheduleTellOnce(delay, cell.Self, wrapped, null, schedule);
        _active[key] = (wrapped.Generation, schedule);
    }
}
