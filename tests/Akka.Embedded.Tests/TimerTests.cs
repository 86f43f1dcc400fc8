using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class TimerTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    private sealed class Timed : ReceiveActor, IWithTimers
    {
        public ITimerScheduler Timers { get; set; }

        public Timed(Inbox inbox, bool fromConstructor)
        {
            if (fromConstructor) Timers.StartSingleTimer("key", "from constructor", TimeSpan.Zero);
            Receive<Action<ITimerScheduler>>(act => act(Timers));
            Receive<InvalidOperationException>(cause => throw cause);
            ReceiveAny(message => inbox.Add(message, Sender));
        }
    }

    private IActorRef StartTimed(bool fromConstructor = false) => _system.ActorOf(Props.Create<Timed>(_inbox, fromConstructor));

    [Fact]
    public void Timers_are_there_in_the_constructor_and_their_messages_come_from_DeadLetters()
    {
        StartTimed(fromConstructor: true);
        Assert.Equal(("from constructor", _system.DeadLetters), _inbox.NextWithSender());
    }

    [Fact]
    public void A_periodic_timer_repeats_until_it_is_cancelled()
    {
        var actor = StartTimed();
        actor.Tell((Action<ITimerScheduler>)(timers => timers.StartPeriodicTimer("key", "tick", TimeSpan.FromMilliseconds(5))));
        Assert.Equal(["tick", "tick", "tick"], _inbox.Next(3));
        actor.Tell((Action<ITimerScheduler>)(timers =>
        {
            _inbox.Add(timers.IsTimerActive("key"));
            timers.Cancel("key");
            _inbox.Add(timers.IsTimerActive("key"));
            _inbox.Add("cancelled");
        }));
        while (_inbox.Next() is var message && message is not "cancelled")
        {
        }
        actor.Tell((Action<ITimerScheduler>)(timers => timers.StartSingleTimer("other", "last", TimeSpan.FromMilliseconds(50))));
        Assert.Equal("last", _inbox.Next());
    }

    [Fact]
    public void A_replaced_timer_never_arrives_even_when_its_message_is_queued()
    {
        var gate = new TaskCompletionSource();
        var actor = StartTimed();
        actor.Tell((Action<ITimerScheduler>)(timers =>
        {
            timers.StartSingleTimer("key", "old", TimeSpan.Zero);
            // By then the old message is in the mailbox.
            _system.Scheduler.Advanced.ScheduleOnce(TimeSpan.FromMilliseconds(50), gate.SetResult);
            gate.Task.Wait();
            timers.StartSingleTimer("key", "new", TimeSpan.Zero);
        }));
        Assert.Equal("new", _inbox.Next());
    }

    [Fact]
    public void A_restart_ends_all_timers()
    {
        var actor = StartTimed();
        actor.Tell((Action<ITimerScheduler>)(timers => timers.StartPeriodicTimer("key", "tick", TimeSpan.FromHours(1))));
        actor.Tell(new InvalidOperationException("as asked"));
        actor.Tell((Action<ITimerScheduler>)(timers => _inbox.Add(timers.IsTimerActive("key"))));
        Assert.Equal(false, _inbox.Next());
    }

    private sealed class Impatient : ReceiveActor
    {
        public Impatient(Inbox inbox)
        {
            int timeouts = 0;
            SetReceiveTimeout(TimeSpan.FromMilliseconds(20));
            Receive<ReceiveTimeout>(_ =>
            {
                inbox.Add("timeout", Sender);
                if (++timeouts == 2) SetReceiveTimeout(null);
            });
        }
    }

    [Fact]
    public void A_receive_timeout_comes_from_oneself_and_again_until_it_is_taken_back()
    {
        var actor = _system.ActorOf(Props.Create<Impatient>(_inbox));
        Assert.Equal(("timeout", actor), _inbox.NextWithSender());
        Assert.Equal("timeout", _inbox.Next());
        _system.Scheduler.Advanced.ScheduleOnce(TimeSpan.FromMilliseconds(80), () => _inbox.Add("later"));
        Assert.Equal("later", _inbox.Next());
    }

    [Fact]
    public void The_scheduler_tells_once_and_repeatedly_until_cancelled()
    {
        var probe = Probe.In(_system, _inbox);
        _system.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(1), probe, "once", probe);
        Assert.Equal(("once", probe), _inbox.NextWithSender());
        var often = TimeSpan.FromMilliseconds(2);
        using var cancelable = new Cancelable(_system.Scheduler);
        _system.Scheduler.ScheduleTellRepeatedly(TimeSpan.Zero, often, probe, "many", null, cancelable);
        Assert.Equal(["many", "many"], _inbox.Next(2));
        cancelable.Cancel();
        Assert.True(cancelable.IsCancellationRequested);
        using var never = new Cancelable(_system.Scheduler);
        _system.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(20), probe, "never", null, never);
        never.Cancel();
        _system.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(60), probe, "last", null);
        while (_inbox.Next() is var message && message is not "last") Assert.Equal("many", message);
    }

    [Fact]
    public void The_scheduler_is_never_early()
    {
        var delay = TimeSpan.FromMilliseconds(30);
        for (int i = 0; i < 5; i++)
        {
            var start = System.Diagnostics.Stopwatch.StartNew();
            _system.Scheduler.Advanced.ScheduleOnce(delay, () => _inbox.Add(start.Elapsed));
            Assert.InRange(_inbox.Next<TimeSpan>(), delay, Systems.Deadline);
        }
    }

    [Fact]
    public void The_scheduler_refuses_impossible_times()
    {
        var scheduler = _system.Scheduler;
        Assert.Throws<ArgumentOutOfRangeException>(() => scheduler.ScheduleTellOnce(TimeSpan.FromTicks(-1), _system.DeadLetters, 1, null));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            scheduler.ScheduleTellRepeatedly(TimeSpan.Zero, TimeSpan.Zero, _system.DeadLetters, 1, null));
    }
}
