using System.Collections.Concurrent;

namespace Akka.Actor;

/// <summary>One timer of the runtime per schedule; all end with the system.</summary>
internal sealed class SystemScheduler(ActorSystemImpl system, TimeProvider time) : IScheduler, IAdvancedScheduler
{
    // The runtime's timers count whole milliseconds of a coarse clock: those that fire early are set again.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private readonly ConcurrentDictionary<ScheduledTimer, byte> _timers = new();
    private readonly long _start = time.GetTimestamp();
    private volatile bool _stopped;

    public IAdvancedScheduler Advanced => this;
    public TimeSpan MonotonicClock => time.GetElapsedTime(_start);

    public void ScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Schedule(delay, null, () => receiver.Tell(message, sender), cancelable);

    public void ScheduleTellRepeatedly(TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender,
        ICancelable cancelable) => Schedule(initialDelay, interval, () => receiver.Tell(message, sender), cancelable);

    public void ScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) => Schedule(delay, null, action, cancelable);

    public void ScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        Schedule(initialDelay, interval, action, cancelable);

    internal void Stop()
    {
        _stopped = true;
        foreach (var timer in _timers.Keys) timer.Dispose();
    }

    private void Schedule(TimeSpan delay, TimeSpan? interval, Action action, ICancelable cancelable)
    {
        if (delay < TimeSpan.Zero) throw new ArgumentOutOfRangeException(nameof(delay), $"a delay must not be negative, got {delay}");
        if (interval <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(interval), $"an interval must be positive, got {interval}");
        if (_stopped) throw new SchedulerException("the scheduler has stopped with its system");
        if (cancelable is { IsCancellationRequested: true }) return;
        var timer = new ScheduledTimer(this, interval is null, action);
        _timers[timer] = 0;
        timer.Start(delay, interval, cancelable);
        if (_stopped) timer.Dispose();
    }

    private sealed class ScheduledTimer(SystemScheduler owner, bool once, Action action) : IDisposable
    {
        private readonly Lock _gate = new();
        private ITimer _timer;
        private CancellationTokenRegistration _registration;
        private TimeSpan _due;
        private TimeSpan _period;
        private bool _ended;

        public void Start(TimeSpan delay, TimeSpan? interval, ICancelable cancelable)
        {
            lock (_gate)
            {
                _due = owner.MonotonicClock + delay;
                _period = interval is { } every ? Max(every, Tick) : Timeout.InfiniteTimeSpan;
                _timer = owner.CreateTimer(Fire, delay, _period);
            }
            if (cancelable is null) return;
            var registration = cancelable.Token.UnsafeRegister(static timer => ((ScheduledTimer)timer).Dispose(), this);
            lock (_gate)
            {
                if (!_ended) _registration = registration;
                else registration.Unregister();
            }
        }

        private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

        private void Fire(object state)
        {
            lock (_gate)
            {
                if (_ended) return;
                var early = _due - owner.MonotonicClock;
                if (early > TimeSpan.Zero)
                {
                    _timer.Change(Max(early, Tick), _period);
                    return;
                }
                _due = TimeSpan.Zero;
            }
            if (once) Dispose();
            try
            {
                action();
            }
            catch (Exception failure)
            {
                owner.Report(failure);
            }
        }

        public void Dispose()
        {
            CancellationTokenRegistration registration;
            lock (_gate)
            {
                if (_ended) return;
                _ended = true;
                _timer?.Dispose();
                registration = _registration;
            }
            registration.Unregister();
            owner._timers.TryRemove(this, out _);
        }
    }

    private ITimer CreateTimer(TimerCallback callback, TimeSpan delay, TimeSpan period) => time.CreateTimer(callback, null, delay, period);

    private void Report(Exception failure) =>
        system.ReportError(failure, "Scheduler", typeof(SystemScheduler), "a scheduled action failed");
}
