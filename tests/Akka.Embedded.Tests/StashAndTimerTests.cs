using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class StashAndTimerTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    private sealed class Stashing : ReceiveActor, IWithUnboundedStash
    {
        public IStash Stash { get; set; }

        public Stashing(Inbox inbox)
        {
            Receive<string>(text => text == "twice", _ =>
            {
                Stash.Stash();
                inbox.Add(Record.Exception(Stash.Stash));
            });
            Receive<string>(text => text == "fail", _ => throw new InvalidOperationException("as asked"));
            Receive<string>(text => text == "open", _ =>
            {
                Stash.UnstashAll();
                Become(() => ReceiveAny(message => inbox.Add((message, Sender))));
            });
            ReceiveAny(_ => Stash.Stash());
        }

    }

    [Fact]
    public void The_stash_returns_before_the_mailbox_in_its_order_with_its_senders()
    {
        var probe = Probe.In(_system, new Inbox());
        var actor = _system.ActorOf(Props.Create<Stashing>(_inbox));
        actor.Tell(1, probe);
        actor.Tell(2, probe);
        actor.Tell("open");
        actor.Tell(3, probe);
        Assert.Equal([((object)1, probe), ((object)2, probe), ((object)3, probe)], _inbox.Next(3).Cast<(object, IActorRef)>());
    }

    [Fact]
    public void One_message_is_not_stashed_twice()
    {
        _system.ActorOf(Props.Create<Stashing>(_inbox)).Tell("twice");
        Assert.IsType<IllegalActorStateException>(_inbox.Next());
    }

    private sealed class Small : ReceiveActor, IWithStash
    {
        public IStash Stash { get; set; }

        public Small(Inbox inbox) => ReceiveAny(_ =>
        {
            var failure = Record.Exception(Stash.Stash);
            inbox.Add($"{Stash.Count} of {Stash.Capacity} {failure?.GetType().Name}");
        });
    }

    [Fact]
    public void A_bounded_stash_refuses_what_is_too_much()
    {
        var actor = _system.ActorOf(Props.Create<Small>(_inbox).WithStashCapacity(2));
        for (int i = 0; i < 3; i++) actor.Tell(i);
        Assert.Equal(["1 of 2 ", "2 of 2 ", "2 of 2 StashOverflowException"], _inbox.Next(3));
    }

    private sealed class Inheriting : ReceiveActor, IWithUnboundedStash
    {
        public IStash Stash { get; set; }

        public Inheriting(Inbox inbox, bool[] first)
        {
            bool keeps = first[0];
            first[0] = false;
            Receive<string>(_ => throw new InvalidOperationException("as asked"));
            ReceiveAny(message =>
            {
                if (keeps) Stash.Stash();
                else inbox.Add(message);
            });
        }
    }

    [Fact]
    public void After_a_restart_the_new_incarnation_gets_the_stash()
    {
        var actor = _system.ActorOf(Props.Create<Inheriting>(_inbox, new[] { true }));
        actor.Tell(1);
        actor.Tell("fail");
        actor.Tell(2);
        Assert.Equal([1, 2], _inbox.Next(2));
    }

    [Fact]
    public void A_stopped_actors_stash_becomes_dead_letters()
    {
        _system.EventStream.Subscribe(Probe.In(_system, _inbox), typeof(Akka.Event.DeadLetter));
        var actor = _system.ActorOf(Props.Create<Stashing>(new Inbox()));
        actor.Tell(1);
        actor.Tell(PoisonPill.Instance);
        Assert.Equal(1, _inbox.Next<Akka.Event.DeadLetter>().Message);
    }

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
        var cancelable = _system.Scheduler.ScheduleTellRepeatedlyCancelable(TimeSpan.Zero, often, probe, "many", null);
        Assert.Equal(["many", "many"], _inbox.Next(2));
        cancelable.Cancel();
        Assert.True(cancelable.IsCancellationRequested);
        var never = _system.Scheduler.ScheduleTellOnceCancelable(TimeSpan.FromMilliseconds(20), probe, "never", null);
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
