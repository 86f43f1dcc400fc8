using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class SupervisionTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    /// <summary>Counts the messages of one incarnation; fails on an exception, which it throws.</summary>
    private sealed class Counter : ReceiveActor
    {
        private int _count;

        public Counter(Inbox inbox)
        {
            Receive<Exception>(cause => throw cause);
            ReceiveAny(_ => inbox.Add($"{Self.Path.Name} {++_count}"));
        }
    }

    private sealed class Supervisor : ReceiveActor
    {
        private readonly SupervisorStrategy _strategy;

        public Supervisor(Inbox inbox, SupervisorStrategy strategy, int children)
        {
            _strategy = strategy;
            for (int i = 0; i < children; i++) Context.Watch(Context.ActorOf(Props.Create<Counter>(inbox), $"child{i}"));
            Receive<Terminated>(terminated => inbox.Add($"{terminated.ActorRef.Path.Name} ended"));
            Receive<(int, object)>(order => Context.Child($"child{order.Item1}").Tell(order.Item2));
            Receive<string>(text => inbox.Add($"supervisor {text}"));
        }

        protected override SupervisorStrategy SupervisorStrategy() => _strategy ?? base.SupervisorStrategy();

        protected override void PostRestart(Exception reason)
        {
            base.PostRestart(reason);
            Self.Tell($"restarted by {reason.Message}");
        }
    }

    private IActorRef Supervise(SupervisorStrategy strategy, int children = 1) =>
        _system.ActorOf(Props.Create<Supervisor>(_inbox, strategy, children));

    private static OneForOneStrategy Always(Directive directive) => new(_ => directive);

    private static void Send(IActorRef supervisor, params object[] messages)
    {
        foreach (object message in messages) supervisor.Tell((0, message));
    }

    [Fact]
    public void Resume_keeps_the_state()
    {
        Send(Supervise(Always(Directive.Resume)), "a", new ArgumentException("x"), "b");
        Assert.Equal(["child0 1", "child0 2"], _inbox.Next(2));
    }

    [Fact]
    public void Restart_loses_the_state()
    {
        Send(Supervise(Always(Directive.Restart)), "a", new ArgumentException("x"), "b");
        Assert.Equal(["child0 1", "child0 1"], _inbox.Next(2));
    }

    [Fact]
    public void Stop_ends_the_child()
    {
        Send(Supervise(Always(Directive.Stop)), "a", new ArgumentException("x"), "b");
        Assert.Equal(["child0 1", "child0 ended"], _inbox.Next(2));
    }

    [Fact]
    public void Escalate_fails_the_supervisor_with_the_same_cause()
    {
        Send(Supervise(Always(Directive.Escalate)), new ArgumentException("x"));
        Assert.Equal("supervisor restarted by x", _inbox.Next());
    }

    [Fact]
    public void A_decider_that_throws_fails_the_supervisor()
    {
        Send(Supervise(new OneForOneStrategy(_ => throw new InvalidOperationException("decider"))), new ArgumentException("x"));
        Assert.Equal("supervisor restarted by decider", _inbox.Next());
    }

    [Fact]
    public void The_default_restarts_and_stops_what_cannot_live()
    {
        var decider = SupervisorStrategy.DefaultDecider;
        Assert.Equal(Directive.Restart, decider.Decide(new ArgumentException("x")));
        Assert.Equal(Directive.Stop, decider.Decide(new ActorInitializationException("x")));
        Assert.Equal(Directive.Stop, decider.Decide(new ActorKilledException("x")));
        Assert.Equal(Directive.Stop, decider.Decide(new DeathPactException(ActorRefs.Nobody)));
        Send(Supervise(null), "a", new ArgumentException("x"), "b");
        Assert.Equal(["child0 1", "child0 1"], _inbox.Next(2));
    }

    [Fact]
    public void A_list_of_directives_is_tried_in_order()
    {
        var decider = Decider.From(Directive.Escalate, Directive.Resume.When<ArgumentNullException>(),
            Directive.Stop.When<ArgumentException>());
        Assert.Equal(Directive.Resume, decider.Decide(new ArgumentNullException("x")));
        Assert.Equal(Directive.Stop, decider.Decide(new ArgumentException("x")));
        Assert.Equal(Directive.Escalate, decider.Decide(new InvalidOperationException("x")));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(2, 2)]
    public void After_the_allowed_restarts_the_child_is_stopped(int allowed, int restarts)
    {
        var supervisor = Supervise(new OneForOneStrategy(allowed, (TimeSpan?)null, _ => Directive.Restart));
        for (int i = 0; i < restarts; i++) Send(supervisor, new ArgumentException("x"), "alive");
        Send(supervisor, new ArgumentException("x"));
        Assert.Equal(Enumerable.Repeat<object>("child0 1", restarts).Append("child0 ended"), _inbox.Next(restarts + 1));
    }

    [Fact]
    public void Restarts_are_without_limit_by_minus_one()
    {
        var supervisor = Supervise(new OneForOneStrategy(-1, (TimeSpan?)null, _ => Directive.Restart));
        for (int i = 0; i < 20; i++) Send(supervisor, new ArgumentException("x"));
        Send(supervisor, "alive");
        Assert.Equal("child0 1", _inbox.Next());
    }

    [Fact]
    public void A_window_allows_one_restart_when_no_number_is_given()
    {
        var supervisor = Supervise(new OneForOneStrategy(null, TimeSpan.FromHours(1), _ => Directive.Restart));
        Send(supervisor, new ArgumentException("x"), "alive", new ArgumentException("x"));
        Assert.Equal(["child0 1", "child0 ended"], _inbox.Next(2));
    }

    [Fact]
    public void The_strategy_in_Props_wins()
    {
        var props = Props.Create<Supervisor>(_inbox, Always(Directive.Stop), 1).WithSupervisorStrategy(Always(Directive.Resume));
        Send(_system.ActorOf(props), "a", new ArgumentException("x"), "b");
        Assert.Equal(["child0 1", "child0 2"], _inbox.Next(2));
    }

    [Fact]
    public void A_child_is_suspended_with_its_failed_parent()
    {
        var verdict = new TaskCompletionSource();
        var nest = _system.ActorOf(Props.Create<Nest>(_inbox, verdict.Task));
        var grandchild = _inbox.Next<IActorRef>();
        nest.Tell("fail");
        Assert.Equal("deciding", _inbox.Next());
        grandchild.Tell("hello");
        verdict.SetResult();
        Assert.Equal(["decided", "hello"], _inbox.Next(2));
    }

    private sealed class Nest : ReceiveActor
    {
        private readonly Inbox _inbox;
        private readonly Task _verdict;

        public Nest(Inbox inbox, Task verdict)
        {
            (_inbox, _verdict) = (inbox, verdict);
            var middle = Context.ActorOf(Props.Create<Middle>(inbox));
            ReceiveAny(middle.Tell);
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ =>
        {
            _inbox.Add("deciding");
            _verdict.Wait();
            _inbox.Add("decided");
            return Directive.Resume;
        });
    }

    private sealed class Middle : ReceiveActor
    {
        public Middle(Inbox inbox)
        {
            inbox.Add(Probe.In(Context, inbox));
            ReceiveAny(_ => throw new InvalidOperationException("as asked"));
        }
    }

    private sealed class FailsWhenRestarted : ReceiveActor
    {
        private static int s_made;

        public FailsWhenRestarted()
        {
            if (Interlocked.Increment(ref s_made) > 1) throw new ArgumentException("second constructor");
            Receive<Exception>(cause => throw cause);
        }
    }

    [Fact]
    public void A_constructor_that_fails_in_a_restart_gives_PostRestartException_and_stops()
    {
        var supervisor = _system.ActorOf(Props.Create<Noting>(_inbox));
        supervisor.Tell(new InvalidOperationException("first"));
        Assert.IsType<InvalidOperationException>(_inbox.Next());
        var second = _inbox.Next<PostRestartException>();
        Assert.Equal(("second constructor", "first"), (second.GetBaseException().Message, second.OriginalCause.Message));
        Assert.Equal("ended", _inbox.Next());
    }

    private sealed class Noting : ReceiveActor
    {
        private readonly Inbox _inbox;

        public Noting(Inbox inbox)
        {
            _inbox = inbox;
            var child = Context.Watch(Context.ActorOf<FailsWhenRestarted>());
            Receive<Terminated>(_ => inbox.Add("ended"));
            ReceiveAny(child.Tell);
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause =>
        {
            _inbox.Add(cause);
            return Akka.Actor.SupervisorStrategy.DefaultDecider.Decide(cause);
        });
    }
}
