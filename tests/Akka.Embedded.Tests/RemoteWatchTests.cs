using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class RemoteWatchTests : IDisposable
{
    private readonly RemoteNode _a = new(), _b = new();
    private readonly Inbox _inbox = new();

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }

    [Fact]
    public void The_end_of_a_remote_actor_is_told_after_what_it_sent_before()
    {
        var probe = Probe.In(_a.System, _inbox);
        var target = _b.System.ActorOf(Lambda.Of((context, message) =>
        {
            context.Sender.Tell("last words");
            context.Stop(context.Self);
        }));
        var remote = _a.RefTo(_b, target);
        Watch(probe, remote);
        remote.Tell("end", probe);
        Assert.Equal("last words", _inbox.Next());
        var terminated = _inbox.Next<Terminated>();
        Assert.Equal(remote, terminated.ActorRef);
        Assert.False(terminated.AddressTerminated);
    }

    [Fact]
    public async Task Watching_an_actor_that_has_stopped_tells_so_at_once()
    {
        var target = _b.System.ActorOf(Lambda.Of((_, _) => { }));
        var remote = _a.RefTo(_b, target);
        Assert.True(await target.GracefulStop(RemoteNode.Deadline));
        Watch(Probe.In(_a.System, _inbox), remote);
        var terminated = _inbox.Next<Terminated>();
        Assert.Equal(remote, terminated.ActorRef);
        Assert.False(terminated.AddressTerminated);
    }

    [Fact]
    public async Task After_unwatch_the_end_is_not_told()
    {
        var (target, other) = (_b.System.ActorOf(Lambda.Of((_, _) => { })), _b.System.ActorOf(Lambda.Of((_, _) => { })));
        var (first, second) = (_a.RefTo(_b, target), _a.RefTo(_b, other));
        var probe = Probe.In(_a.System, _inbox);
        Watch(probe, first);
        Watch(probe, second);
        probe.Tell((Action<IActorContext>)(context => context.Unwatch(first)));
        probe.Tell("done");
        Assert.Equal("done", _inbox.Next());
        Assert.True(await target.GracefulStop(RemoteNode.Deadline));
        Assert.True(await other.GracefulStop(RemoteNode.Deadline));
        Assert.Equal(second, _inbox.Next<Terminated>().ActorRef);
    }

    [Fact]
    public async Task A_remote_actor_can_be_stopped_and_awaited()
    {
        var target = _b.System.ActorOf(Lambda.Of((_, _) => { }));
        Assert.True(await _a.RefTo(_b, target).GracefulStop(RemoteNode.Deadline));
    }

    [Fact]
    public void Actors_of_a_system_that_ends_are_told_as_ended()
    {
        using var c = new RemoteNode();
        var remote = _a.RefTo(c, c.System.ActorOf(Lambda.Of((_, _) => { })));
        Watch(Probe.In(_a.System, _inbox), remote);
        c.System.Terminate();
        Assert.Equal(remote, _inbox.Next<Terminated>().ActorRef);
    }

    [Fact]
    public void A_watch_over_nobody_ends_when_its_address_does_not_answer()
    {
        Address gone;
        using (var shortLived = new RemoteNode()) gone = shortLived.Address;
        var nobody = ((ExtendedActorSystem)_a.System).Provider.ResolveActorRef($"{gone}/user/nobody");
        Watch(Probe.In(_a.System, _inbox), nobody);
        Assert.Equal(nobody, _inbox.Next<Terminated>().ActorRef);
    }

    private void Watch(IActorRef probe, IActorRef target)
    {
        probe.Tell((Action<IActorContext>)(context => context.Watch(target)));
        probe.Tell("watches");
        Assert.Equal("watches", _inbox.Next());
    }
}
