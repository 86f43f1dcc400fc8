using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class RemoteMessagingTests : IDisposable
{
    private readonly RemoteNode _a = new(), _b = new();

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }

    [Fact]
    public async Task An_ask_is_answered_from_another_system()
    {
        var echo = _b.System.ActorOf(Lambda.Of((context, message) => context.Sender.Tell("re: " + message)), "echo");
        Assert.Equal("re: ping", await _a.RefTo(_b, echo).Ask<string>("ping", RemoteNode.Deadline));
    }

    [Fact]
    public void Messages_of_one_sender_arrive_in_order_and_complete()
    {
        var inbox = new Inbox();
        var remote = _a.RefTo(_b, Probe.In(_b.System, inbox));
        for (int i = 0; i < 5000; i++) remote.Tell(i);
        Assert.Equal(Enumerable.Range(0, 5000), inbox.Next(5000).Cast<int>());
    }

    [Fact]
    public void The_sender_can_be_answered_later()
    {
        var (asking, asked) = (new Inbox(), new Inbox());
        var asker = Probe.In(_a.System, asking, "asker");
        _a.RefTo(_b, Probe.In(_b.System, asked)).Tell("hello", asker);
        var (_, sender) = asked.NextWithSender();
        Assert.Equal(new RootActorPath(_a.Address) / "user" / "asker", sender.Path);
        sender.Tell("and hello");
        Assert.Equal("and hello", asking.Next());
    }

    [Fact]
    public void A_message_told_outside_an_actor_has_no_sender()
    {
        var inbox = new Inbox();
        _a.RefTo(_b, Probe.In(_b.System, inbox)).Tell("hello");
        Assert.Equal(_b.System.DeadLetters, inbox.NextWithSender().Sender);
    }

    [Fact]
    public async Task A_selection_resolves_an_actor_of_another_system()
    {
        var inbox = new Inbox();
        var here = Probe.In(_b.System, inbox, "here");
        var found = await _a.System.ActorSelection($"{_b.Address}/user/here").ResolveOne(RemoteNode.Deadline);
        Assert.Equal(_a.RefTo(_b, here), found);
        found.Tell("found");
        Assert.Equal("found", inbox.Next());
    }

    [Fact]
    public async Task A_selection_of_nobody_fails()
    {
        var nobody = _a.System.ActorSelection($"{_b.Address}/user/nobody");
        await Assert.ThrowsAsync<ActorNotFoundException>(() => nobody.ResolveOne(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_stopped_incarnation_does_not_get_the_messages_of_the_next()
    {
        var (first, second, dead) = (new Inbox(), new Inbox(), new Inbox());
        var old = Probe.In(_b.System, first, "same");
        var toOld = _a.RefTo(_b, old);
        Assert.True(await old.GracefulStop(RemoteNode.Deadline));
        _b.System.EventStream.Subscribe(Probe.In(_b.System, dead), typeof(DeadLetter));
        await StartAgain(second);
        toOld.Tell("for the old one");
        Assert.Equal("for the old one", dead.Next<DeadLetter>().Message);
        Assert.True(second.IsEmpty);
    }

    /// <summary>The name is free only once the parent, too, has noticed the end.</summary>
    private async Task StartAgain(Inbox inbox)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (bool free = false; !free; await tick.WaitForNextTickAsync())
        {
            try
            {
                Probe.In(_b.System, inbox, "same");
                free = true;
            }
            catch (InvalidActorNameException)
            {
                // Not yet.
            }
        }
    }

    [Fact]
    public void A_poison_pill_travels()
    {
        var (inbox, stopped) = (new Inbox(), new Inbox());
        var target = Probe.In(_b.System, inbox);
        Probe.In(_b.System, stopped).Tell((Action<IActorContext>)(context => context.Watch(target)));
        _a.RefTo(_b, target).Tell(PoisonPill.Instance);
        Assert.Equal(target, stopped.Next<Terminated>().ActorRef);
    }

    [Fact]
    public void A_message_over_the_frame_size_is_dropped_and_the_next_one_arrives()
    {
        var errors = new Inbox();
        using var loud = new RemoteNode("akka { loglevel = ERROR, loggers = [] }");
        loud.System.EventStream.Subscribe(Probe.In(loud.System, errors), typeof(Error));
        var inbox = new Inbox();
        var remote = loud.RefTo(_b, Probe.In(_b.System, inbox));
        remote.Tell(new byte[200_000]);
        remote.Tell(new byte[100_000]);
        Assert.Equal(100_000, ((byte[])inbox.Next()).Length);
        Assert.IsType<Error>(errors.Next());
    }

    [Fact]
    public void A_null_message_is_refused_at_the_caller()
    {
        var remote = _a.RefTo(_b, _b.System.ActorOf(Lambda.Of((_, _) => { })));
        Assert.Throws<InvalidMessageException>(() => remote.Tell(null, ActorRefs.NoSender));
    }

    [Fact]
    public void Messages_to_a_port_where_nobody_listens_are_dead_letters()
    {
        Address gone;
        using (var shortLived = new RemoteNode()) gone = shortLived.Address;
        var (dead, errors) = (new Inbox(), new Inbox());
        _a.System.EventStream.Subscribe(Probe.In(_a.System, dead), typeof(DeadLetter));
        _a.System.EventStream.Subscribe(Probe.In(_a.System, errors), typeof(AssociationErrorEvent));
        var nobody = ((ExtendedActorSystem)_a.System).Provider.ResolveActorRef($"{gone}/user/nobody");
        nobody.Tell("first");
        Assert.Equal(gone, errors.Next<AssociationErrorEvent>().RemoteAddress);
        Assert.Equal("first", dead.Next<DeadLetter>().Message);
        nobody.Tell("while gated");
        Assert.Equal("while gated", dead.Next<DeadLetter>().Message);
    }

    [Fact]
    public void Both_sides_tell_that_they_are_associated_and_that_it_ended()
    {
        var (associated, ended) = (new Inbox(), new Inbox());
        using (var c = new RemoteNode())
        {
            _a.System.EventStream.Subscribe(Probe.In(_a.System, associated), typeof(AssociatedEvent));
            _a.System.EventStream.Subscribe(Probe.In(_a.System, ended), typeof(DisassociatedEvent));
            _a.RefTo(c, c.System.ActorOf(Lambda.Of((_, _) => { }))).Tell("hello");
            var seen = associated.Next<AssociatedEvent>();
            Assert.Equal((_a.Address, c.Address, false), (seen.LocalAddress, seen.RemoteAddress, seen.IsInbound));
        }
        Assert.IsType<DisassociatedEvent>(ended.Next());
    }

    [Fact]
    public async Task A_restarted_system_on_the_same_port_is_reached_again()
    {
        var first = new RemoteNode();
        int port = first.Address.Port.Value;
        await _a.System.ActorSelection($"{first.Address}/user/x").Ask<ActorIdentity>(new Identify(1), RemoteNode.Deadline);
        first.Dispose();
        using var second = new RemoteNode(port: port);
        second.System.ActorOf(Lambda.Of((context, _) => context.Sender.Tell("back")), "x");
        string answer = null;
        for (int attempt = 0; answer is null && attempt < 30; attempt++)
        {
            try
            {
                answer = await _a.System.ActorSelection($"{second.Address}/user/x").Ask<string>("?", TimeSpan.FromSeconds(1));
            }
            catch (AskTimeoutException)
            {
                // Gated, or lost with the old connection: ask again.
            }
        }
        Assert.Equal("back", answer);
    }

    [Fact]
    public void A_taken_port_is_an_error_at_the_start()
    {
        int port = _a.Address.Port.Value;
        // Akka.NET's own default lets two listen on one port on Unix.
        var error = Assert.ThrowsAny<Exception>(() => new RemoteNode("akka.remote.dot-netty.tcp.tcp-reuse-addr = off", port: port));
        while (error.InnerException is not null) error = error.InnerException;
        Assert.IsAssignableFrom<System.Net.Sockets.SocketException>(error);
    }
}
