using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class WatchTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();
    private readonly IActorRef _watcher;

    public WatchTests() => _watcher = Probe.In(_system, _inbox);

    public void Dispose() => _system.Dispose();

    private void InWatcher(Action<IActorContext> act) => _watcher.Tell(act);

    /// <summary>A message behind all that the watcher has to do now.</summary>
    private void Mark() => _watcher.Tell("mark");

    [Fact]
    public void A_watcher_is_told_once_with_the_dead_actor_as_sender()
    {
        var subject = _system.ActorOf(Props.Empty);
        InWatcher(context =>
        {
            context.Watch(subject);
            context.Watch(subject);
            context.Stop(subject);
        });
        var (message, sender) = _inbox.NextWithSender();
        var terminated = Assert.IsType<Terminated>(message);
        Assert.Equal((subject, subject, true, false),
            (sender, terminated.ActorRef, terminated.ExistenceConfirmed, terminated.AddressTerminated));
        Mark();
        Assert.Equal("mark", _inbox.Next());
    }

    [Fact]
    public void What_the_dead_actor_sent_before_comes_first()
    {
        var subject = _system.ActorOf(Lambda.Of((context, _) =>
        {
            for (int i = 0; i < 100; i++) _watcher.Tell(i);
            context.Stop(context.Self);
        }));
        InWatcher(context => context.Watch(subject).Tell("go"));
        for (int i = 0; i < 100; i++) Assert.Equal(i, _inbox.Next());
        Assert.IsType<Terminated>(_inbox.Next());
    }

    [Fact]
    public async Task A_dead_actor_is_told_without_confirmed_existence()
    {
        var subject = _system.ActorOf(Props.Empty);
        Assert.True(await subject.GracefulStop(Systems.Deadline));
        InWatcher(context => context.Watch(subject));
        Assert.False(_inbox.Next<Terminated>().ExistenceConfirmed);
    }

    [Fact]
    public void Unwatch_suppresses_a_Terminated_that_is_queued_already()
    {
        var subject = _system.ActorOf(Props.Empty);
        InWatcher(context =>
        {
            context.Watch(subject);
            // Its notice is behind this turn: the actor ends while we wait here.
            Assert.True(subject.GracefulStop(Systems.Deadline).Result);
            context.Unwatch(subject);
        });
        Mark();
        Assert.Equal("mark", _inbox.Next());
        Mark();
        Assert.Equal("mark", _inbox.Next());
    }

    [Fact]
    public void WatchWith_delivers_its_message_instead_and_a_second_watch_changes_nothing()
    {
        var subject = _system.ActorOf(Props.Empty);
        InWatcher(context =>
        {
            context.WatchWith(subject, "gone");
            context.Watch(subject);
            context.Stop(subject);
        });
        Assert.Equal("gone", _inbox.Next());
    }

    [Fact]
    public void Watching_oneself_does_nothing()
    {
        InWatcher(context => context.Watch(context.Self));
        Mark();
        Assert.Equal("mark", _inbox.Next());
    }

    [Fact]
    public async Task A_parent_gets_no_Terminated_of_a_child_that_it_does_not_watch()
    {
        InWatcher(context => _inbox.Add(context.ActorOf(Props.Empty)));
        Assert.True(await _inbox.Next<IActorRef>().GracefulStop(Systems.Deadline));
        Mark();
        Assert.Equal("mark", _inbox.Next());
    }

    private sealed class Pact : ReceiveActor
    {
        public Pact(IActorRef partner) => Context.Watch(partner);
    }

    [Fact]
    public void A_Terminated_without_a_handler_is_a_death_pact()
    {
        var partner = _system.ActorOf(Props.Empty);
        var bound = _system.ActorOf(Props.Create<Pact>(partner));
        InWatcher(context => context.Watch(bound));
        _system.Stop(partner);
        Assert.Equal(bound, _inbox.Next<Terminated>().ActorRef);
    }

    private sealed class Restarting : ReceiveActor
    {
        public Restarting(Inbox inbox, IActorRef subject, bool[] first)
        {
            if (first[0]) Context.Watch(subject);
            first[0] = false;
            Receive<Terminated>(terminated => inbox.Add(terminated.ActorRef));
            Receive<string>(_ => throw new InvalidOperationException("as asked"));
        }
    }

    [Fact]
    public void Watches_outlive_a_restart_of_either_side()
    {
        var subject = _system.ActorOf(Lambda.Of((_, _) => throw new InvalidOperationException("as asked")));
        var watcher = _system.ActorOf(Props.Create<Restarting>(_inbox, subject, new[] { true }));
        watcher.Tell("fail");
        subject.Tell("fail");
        subject.Tell(PoisonPill.Instance);
        Assert.Equal(subject, _inbox.Next());
    }

    [Fact]
    public async Task Identify_is_answered_by_the_system()
    {
        var subject = _system.ActorOf(Props.Empty, "known");
        var identity = await subject.Ask<ActorIdentity>(new Identify(7), Systems.Deadline);
        Assert.Equal((7, subject), (identity.MessageId, identity.Subject));
        var missing = await _system.ActorSelection("/user/unknown").Ask<ActorIdentity>(new Identify(8), Systems.Deadline);
        Assert.Equal((8, null), (missing.MessageId, missing.Subject));
    }

    [Fact]
    public async Task GracefulStop_is_false_when_it_takes_too_long()
    {
        var gate = new TaskCompletionSource();
        var subject = _system.ActorOf(Lambda.Of((_, _) => gate.Task.Wait()));
        subject.Tell("block");
        Assert.False(await subject.GracefulStop(TimeSpan.FromMilliseconds(50)));
        gate.SetResult();
    }
}
