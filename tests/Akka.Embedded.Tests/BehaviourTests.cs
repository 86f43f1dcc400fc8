using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class BehaviourTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    private sealed class Typed : ReceiveActor
    {
        public Typed(Inbox inbox)
        {
            Receive<int>(number => number < 0, number => inbox.Add($"negative {number}"));
            Receive<int>(number => inbox.Add($"int {number}"));
            Receive<string>(text =>
            {
                if (text.Length == 0) return false;
                inbox.Add($"text {text}");
                return true;
            });
            Receive<Exception>(cause => inbox.Add($"exception {cause.Message}"), cause => cause.Message != "skip");
            Receive<object>(other => inbox.Add($"any {other.GetType().Name}"));
        }
    }

    [Fact]
    public void Handlers_are_tried_in_order_and_a_false_one_passes_the_message_on()
    {
        var actor = _system.ActorOf(Props.Create(() => new Typed(_inbox)));
        object[] messages = [1, -1, "a", "", new ArgumentException("x"), new ArgumentException("skip"), 2.5];
        foreach (object message in messages) actor.Tell(message);
        Assert.Equal(["int 1", "negative -1", "text a", "any String", "exception x", "any ArgumentException", "any Double"],
            _inbox.Next(7));
    }

    private sealed class Moods : ReceiveActor
    {
        public Moods(Inbox inbox)
        {
            void Always(string mood)
            {
                Receive<string>(text => text == "who", _ => inbox.Add(mood));
                Receive<string>(text => text == "replace", _ => Become(() => Always("replaced")));
                Receive<string>(text => text == "push", _ => BecomeStacked(() => Always("pushed")));
                Receive<string>(text => text == "pop", _ => UnbecomeStacked());
                Receive<string>(text => text == "fail", _ => throw new InvalidOperationException("as asked"));
            }
            Always("first");
        }
    }

    [Fact]
    public void Become_replaces_all_but_the_first_behaviour_and_a_stacked_one_can_be_left()
    {
        var actor = _system.ActorOf(Props.Create(() => new Moods(_inbox)));
        foreach (string message in "who push who pop who replace who push who pop who pop who push push pop who".Split(' '))
            actor.Tell(message);
        Assert.Equal(["first", "pushed", "first", "replaced", "pushed", "replaced", "first", "pushed"], _inbox.Next(8));
    }

    [Fact]
    public void A_restart_clears_behaviours()
    {
        var actor = _system.ActorOf(Props.Create(() => new Moods(_inbox)));
        foreach (string message in "replace push who fail who".Split(' ')) actor.Tell(message);
        Assert.Equal(["pushed", "first"], _inbox.Next(2));
    }

    private sealed class BecomesInConstructor : ReceiveActor
    {
        public BecomesInConstructor(Inbox inbox)
        {
            BecomeStacked(() => Receive<string>(_ =>
            {
                inbox.Add("inner");
                UnbecomeStacked();
            }));
            Receive<string>(_ => inbox.Add("outer"));
        }
    }

    [Fact]
    public void Become_works_in_the_constructor()
    {
        var actor = _system.ActorOf(Props.Create(() => new BecomesInConstructor(_inbox)));
        actor.Tell("a");
        actor.Tell("b");
        Assert.Equal(["inner", "outer"], _inbox.Next(2));
    }

    private sealed class LateHandler : ReceiveActor
    {
        public LateHandler(Inbox inbox)
        {
            Receive<string>(_ => Capture(inbox, () => Receive<int>(_ => { })));
            ReceiveAny(_ => { });
            Capture(inbox, () => Receive<int>(_ => { }));
        }

        private static void Capture(Inbox inbox, Action action) => inbox.Add(Record.Exception(action));
    }

    [Fact]
    public void No_handler_follows_one_for_everything_nor_is_added_later()
    {
        var actor = _system.ActorOf(Props.Create(() => new LateHandler(_inbox)));
        Assert.IsType<InvalidOperationException>(_inbox.Next());
        actor.Tell("now");
        Assert.IsType<InvalidOperationException>(_inbox.Next());
    }

    private sealed class OnlyText : ReceiveActor
    {
        public OnlyText() => Receive<string>(_ => { });
    }

    [Fact]
    public void What_has_no_handler_is_published_as_unhandled()
    {
        var probe = Probe.In(_system, _inbox);
        _system.EventStream.Subscribe(probe, typeof(UnhandledMessage));
        var actor = _system.ActorOf<OnlyText>();
        actor.Tell(5, probe);
        var unhandled = _inbox.Next<UnhandledMessage>();
        Assert.Equal((5, probe, actor), (unhandled.Message, unhandled.Sender, unhandled.Recipient));
    }

    private sealed class Awaiting : ReceiveActor
    {
        public Awaiting(Inbox inbox, Task gate)
        {
            ReceiveAsync<string>(async text =>
            {
                var (self, sender) = (Self, Sender);
                inbox.Add($"before {text}");
                await gate;
                await Task.Yield();
                inbox.Add(self.Equals(Self) && sender.Equals(Sender) && Context.Self.Equals(Self) ? $"after {text}" : "lost");
                if (text == "fail") throw new ArgumentException("as asked");
            });
            Receive<int>(number => inbox.Add(number));
        }

        protected override void PreRestart(Exception reason, object message) => Self.Tell(reason is ArgumentException ? 100 : -1);
    }

    [Fact]
    public void User_messages_wait_for_an_async_handler_and_its_context_holds_after_await()
    {
        var gate = new TaskCompletionSource();
        var actor = _system.ActorOf(Props.Create(() => new Awaiting(_inbox, gate.Task)));
        actor.Tell("a");
        actor.Tell(1);
        Assert.Equal("before a", _inbox.Next());
        Assert.True(_inbox.IsEmpty);
        gate.SetResult();
        Assert.Equal(["after a", 1], _inbox.Next(2));
    }

    [Fact]
    public void A_failure_in_an_async_handler_restarts_the_actor()
    {
        var gate = new TaskCompletionSource();
        var actor = _system.ActorOf(Props.Create(() => new Awaiting(_inbox, gate.Task)));
        actor.Tell("fail");
        gate.SetResult();
        Assert.Equal(["before fail", "after fail", 100], _inbox.Next(3));
    }

    [Fact]
    public async Task An_actor_that_awaits_can_be_stopped()
    {
        var never = new TaskCompletionSource();
        var actor = _system.ActorOf(Props.Create(() => new Awaiting(_inbox, never.Task)));
        actor.Tell("a");
        Assert.Equal("before a", _inbox.Next());
        var ended = actor.GracefulStop(Systems.Deadline, "b");
        _system.Stop(actor);
        Assert.True(await ended);
    }

    private sealed class Parent : UntypedActor
    {
        private readonly Inbox _inbox;
        private readonly Task _gate;

        public Parent(Inbox inbox, Task gate) => (_inbox, _gate) = (inbox, gate);

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause =>
        {
            _inbox.Add(cause.Message);
            return Directive.Stop;
        });

        protected override void OnReceive(object message)
        {
            Context.ActorOf(Props.Create(() => new Failing(_inbox))).Tell("fail");
            RunTask(async () =>
            {
                await _gate;
                _inbox.Add("task ended");
            });
        }
    }

    private sealed class Failing : ReceiveActor
    {
        private readonly Inbox _inbox;

        public Failing(Inbox inbox)
        {
            _inbox = inbox;
            ReceiveAny(message =>
            {
                _inbox.Add("failing");
                throw new InvalidOperationException("child failed");
            });
        }
    }

    [Fact]
    public void Failures_of_children_wait_for_a_running_task()
    {
        var gate = new TaskCompletionSource();
        var parent = _system.ActorOf(Props.Create(() => new Parent(_inbox, gate.Task)));
        parent.Tell("go");
        Assert.Equal("failing", _inbox.Next());
        gate.SetResult();
        Assert.Equal(["task ended", "child failed"], _inbox.Next(2));
    }
}
