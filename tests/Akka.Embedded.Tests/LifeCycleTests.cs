using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class LifeCycleTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    /// <summary>Notes every step of its life. Children are named by messages like "child:b".</summary>
    private class Diary : UntypedActor, IDisposable
    {
        private readonly Inbox _inbox;
        private readonly string _name;
        private readonly bool _keepChildren;
        private static int s_instances;
        private readonly int _instance = Interlocked.Increment(ref s_instances);

        public Diary(Inbox inbox, string name, bool keepChildren)
        {
            (_inbox, _name, _keepChildren) = (inbox, name, keepChildren);
            Note("constructor");
        }

        private void Note(string what) => _inbox.Add($"{_name} {what}");
        protected override void PreStart() => Note("PreStart");
        protected override void PostStop() => Note("PostStop");
        public void Dispose() => Note("Dispose");

        protected override void PreRestart(Exception reason, object message)
        {
            Note($"PreRestart {reason.Message} {message}");
            if (!_keepChildren) base.PreRestart(reason, message);
        }

        protected override void PostRestart(Exception reason)
        {
            Note($"PostRestart {reason.Message}");
            base.PostRestart(reason);
        }

        protected override void OnReceive(object message)
        {
            if (message is "fail") throw new InvalidOperationException("broken");
            if (message is "stop") Context.Stop(Self);
            else if (message is string child && child.StartsWith("child:", StringComparison.Ordinal))
                Context.ActorOf(Props.Create<Diary>(_inbox, child[6..], false), child[6..]);
            else if (message is "instance") _inbox.Add(_instance);
            else Note(message.ToString());
        }
    }

    private IActorRef Start(string name, bool keepChildren = false) =>
        _system.ActorOf(Props.Create<Diary>(_inbox, name, keepChildren), name);

    [Fact]
    public void An_actor_starts_with_constructor_and_PreStart_and_ends_with_PostStop_and_Dispose()
    {
        var actor = Start("a");
        actor.Tell("work");
        actor.Tell("stop");
        Assert.Equal(["a constructor", "a PreStart", "a work", "a PostStop", "a Dispose"], _inbox.Next(5));
    }

    [Fact]
    public void Children_end_before_their_parent()
    {
        var actor = Start("a");
        actor.Tell("child:b");
        Assert.Equal(["a constructor", "a PreStart", "b constructor", "b PreStart"], _inbox.Next(4));
        actor.Tell("stop");
        Assert.Equal(["b PostStop", "b Dispose", "a PostStop", "a Dispose"], _inbox.Next(4));
    }

    [Fact]
    public void A_restart_goes_through_the_hooks_in_order_and_the_failed_message_is_gone()
    {
        var actor = Start("a");
        actor.Tell("fail");
        actor.Tell("next");
        Assert.Equal(
        [
            "a constructor", "a PreStart", "a PreRestart broken fail", "a PostStop", "a Dispose", "a constructor", "a PostRestart broken",
            "a PreStart", "a next",
        ], _inbox.Next(9));
    }

    [Fact]
    public void A_restart_stops_the_children_and_waits_for_them()
    {
        var actor = Start("a");
        foreach (string message in new[] { "child:b", "fail", "child:b" }) actor.Tell(message);
        var steps = _inbox.Next(14).Cast<string>().ToList();
        int created = steps.LastIndexOf("a constructor");
        Assert.InRange(steps.IndexOf("b Dispose"), 0, created);
        Assert.InRange(steps.IndexOf("a Dispose"), 0, created);
        Assert.Equal(["a constructor", "a PostRestart broken", "a PreStart", "b constructor", "b PreStart"], steps[created..]);
    }

    [Fact]
    public void Children_kept_by_PreRestart_are_restarted()
    {
        var actor = Start("a", keepChildren: true);
        actor.Tell("child:b");
        Assert.Equal(["a constructor", "a PreStart", "b constructor", "b PreStart"], _inbox.Next(4));
        actor.Tell("fail");
        Assert.Equal(
        [
            "a PreRestart broken fail", "a Dispose", "a constructor", "a PostRestart broken", "a PreStart",
            "b PreRestart broken ", "b PostStop", "b Dispose", "b constructor", "b PostRestart broken", "b PreStart",
        ], _inbox.Next(11));
    }

    [Fact]
    public void A_restart_keeps_reference_and_mailbox_and_makes_a_new_instance()
    {
        var actor = Start("a");
        foreach (string message in new[] { "instance", "fail", "instance" }) actor.Tell(message);
        var seen = _inbox.Next(9).OfType<int>().ToList();
        seen.Add(_inbox.Next<int>());
        Assert.Equal(2, seen.Distinct().Count());
    }

    [Fact]
    public void Stop_ends_after_the_message_in_hand_and_the_rest_becomes_dead_letters()
    {
        var letters = new Inbox();
        _system.EventStream.Subscribe(Probe.In(_system, letters), typeof(Akka.Event.DeadLetter));
        var gate = new TaskCompletionSource();
        var actor = _system.ActorOf(Lambda.Of((context, message) =>
        {
            gate.Task.Wait();
            context.Stop(context.Self);
            _inbox.Add(message);
        }));
        actor.Tell(1);
        actor.Tell(2);
        gate.SetResult();
        Assert.Equal(1, _inbox.Next());
        Assert.Equal(2, letters.Next<Akka.Event.DeadLetter>().Message);
        Assert.True(_inbox.IsEmpty);
    }

    [Fact]
    public async Task PoisonPill_waits_for_the_messages_before_it()
    {
        var actor = Start("a");
        actor.Tell("one");
        var ended = actor.GracefulStop(Systems.Deadline, PoisonPill.Instance);
        Assert.True(await ended);
        Assert.Equal(["a constructor", "a PreStart", "a one", "a PostStop", "a Dispose"], _inbox.Next(5));
    }

    [Fact]
    public void Kill_stops_the_actor_by_an_exception()
    {
        var watcher = Probe.In(_system, _inbox);
        var victim = _system.ActorOf(Props.Empty);
        watcher.Tell((Action<IActorContext>)(context =>
        {
            context.Watch(victim);
            victim.Tell(Kill.Instance);
        }));
        Assert.Equal(victim, _inbox.Next<Terminated>().ActorRef);
    }

    private sealed class Unborn : ReceiveActor
    {
        private readonly Inbox _inbox;

        public Unborn(Inbox inbox, bool inConstructor)
        {
            _inbox = inbox;
            if (inConstructor) throw new ArgumentException("constructor");
        }

        protected override void PreStart() => throw new ArgumentException("PreStart");
        protected override void PostStop() => _inbox.Add("PostStop");
    }

    private sealed class Midwife : ReceiveActor
    {
        private readonly Inbox _inbox;

        public Midwife(Inbox inbox, bool inConstructor)
        {
            _inbox = inbox;
            Context.Watch(Context.ActorOf(Props.Create<Unborn>(inbox, inConstructor), "unborn"));
            Receive<Terminated>(_ => inbox.Add("terminated"));
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause =>
        {
            _inbox.Add(cause);
            return Akka.Actor.SupervisorStrategy.DefaultDecider.Decide(cause);
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_failed_start_is_an_ActorInitializationException_and_stops_without_PostStop(bool inConstructor)
    {
        _system.ActorOf(Props.Create<Midwife>(_inbox, inConstructor));
        var cause = _inbox.Next<ActorInitializationException>();
        Assert.IsType<ArgumentException>(cause.GetBaseException());
        Assert.Equal("terminated", _inbox.Next());
    }

    private sealed class Clumsy : ReceiveActor
    {
        private readonly Inbox _inbox;

        public Clumsy(Inbox inbox)
        {
            _inbox = inbox;
            inbox.Add("constructor");
            Receive<Exception>(cause => throw cause);
        }

        protected override void PreRestart(Exception reason, object message) => throw new ArgumentException("PreRestart");

        protected override void PostStop()
        {
            _inbox.Add(Record.Exception(() => Context.ActorOf(Props.Empty)));
            throw new ArgumentException("PostStop");
        }
    }

    [Fact]
    public async Task Hooks_that_throw_while_an_actor_goes_keep_nothing_from_going_on()
    {
        var actor = _system.ActorOf(Props.Create<Clumsy>(_inbox));
        actor.Tell(new InvalidOperationException("as asked"));
        Assert.Equal(["constructor", "constructor"], _inbox.Next(2));
        Assert.True(await actor.GracefulStop(Systems.Deadline));
        Assert.IsType<InvalidOperationException>(_inbox.Next());
    }
}
