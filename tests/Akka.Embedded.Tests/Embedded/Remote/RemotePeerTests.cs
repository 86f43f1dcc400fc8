using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

/// <summary>Peers that do not read, vanish, come back, or cannot be called.</summary>
public sealed class RemotePeerTests : IDisposable
{
    private readonly RemoteNode _node = new();

    public void Dispose() => _node.Dispose();

    private RemoteTransport Transport => (RemoteTransport)((ActorSystemImpl)_node.System).Transport;

    [Fact]
    public async Task A_peer_that_cannot_be_called_is_answered_over_its_own_connection()
    {
        using var client = new RemoteNode($"akka.remote.dot-netty.tcp.public-port = {ClusterNode.FreePort()}");
        var echo = _node.System.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)), "echo");
        for (int i = 0; i < 3; i++) Assert.Equal(i, await client.RefTo(_node, echo).Ask<int>(i, RemoteNode.Deadline));
    }

    [Fact]
    public async Task The_queue_for_a_peer_that_does_not_read_is_bounded_and_loses_the_oldest()
    {
        const int count = 40_000;
        var dead = new Inbox();
        _node.System.EventStream.Subscribe(Probe.In(_node.System, dead), typeof(DeadLetter));
        using var stranger = await Stranger.ShakeHands(_node);
        var recipient = ((ExtendedActorSystem)_node.System).Provider.ResolveActorRef($"{Stranger.Address}/user/x");
        for (int i = 0; i < count; i++) recipient.Tell($"{i} {new string('.', 1000)}");
        int firstLost = Number(dead.Next<DeadLetter>().Message), last = -1;
        Assert.InRange(Transport.PeerFor(Stranger.Address).Queued, 1, Peer.MaxQueuedFrames + 1);
        Assert.InRange(Transport.Lost, 1, count);
        int received = 0;
        while (last != count - 1)
        {
            var (kind, body) = await stranger.NextFrame();
            Assert.Equal(FrameKind.Message, kind);
            int number = Number(Payload(body));
            Assert.True(number > last, $"{number} came after {last}");
            Assert.NotEqual(firstLost, number);
            (last, received) = (number, received + 1);
        }
        Assert.Equal(count, received + Transport.Lost);
    }

    [Fact]
    public async Task The_watches_of_a_vanished_peer_are_forgotten_and_it_may_come_back()
    {
        var inbox = new Inbox();
        var watched = Probe.In(_node.System, inbox, "watched");
        using (var stranger = await Stranger.ShakeHands(_node))
        {
            await stranger.Send(Frames.Watching(FrameKind.Watch, $"{Stranger.Address}/user/w", _node.PathOf(watched)));
            await stranger.Send(Stranger.Message(_node.PathOf(watched), 17, "S", "watching"u8));
            Assert.Equal("watching", inbox.Next());
            Assert.True(Transport.Watches.Concern(Stranger.Address));
        }
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var deadline = new CancellationTokenSource(RemoteNode.Deadline);
        while (Transport.Watches.Concern(Stranger.Address)) await tick.WaitForNextTickAsync(deadline.Token);
        await ComesBack(inbox, watched);
    }

    /// <summary>As it happens when the verdict and the return fall into one moment: the watches are gone, the connection is new.</summary>
    [Fact]
    public async Task A_peer_that_comes_back_while_it_is_given_up_keeps_its_new_connection()
    {
        var inbox = new Inbox();
        var watched = Probe.In(_node.System, inbox, "watched");
        using var stranger = await Stranger.ShakeHands(_node);
        var peer = Transport.PeerFor(Stranger.Address);
        int arrivals = peer.Arrivals;
        peer.GiveUp(arrivals, "for the test");
        Assert.Equal(0, await stranger.ReadToEnd());
        await ComesBack(inbox, watched, () => peer.GiveUp(arrivals, "for the test, late"));
    }

    /// <summary>Connects as the same incarnation, watches, and hears of the end.</summary>
    private async Task ComesBack(Inbox inbox, IActorRef watched, Action meanwhile = null)
    {
        using var again = await Stranger.ShakeHands(_node);
        await again.Send(Frames.Watching(FrameKind.Watch, $"{Stranger.Address}/user/w", _node.PathOf(watched)));
        await again.Send(Stranger.Message(_node.PathOf(watched), 17, "S", "watching again"u8));
        Assert.Equal("watching again", inbox.Next());
        meanwhile?.Invoke();
        _node.System.Stop(watched);
        Assert.Equal(FrameKind.Stopped, (await again.NextFrame()).Kind);
    }

    [Fact]
    public async Task A_watch_is_sent_again_over_a_new_connection_and_answered_for_what_has_stopped()
    {
        var inbox = new Inbox();
        var probe = Probe.In(_node.System, inbox);
        var remote = ((ExtendedActorSystem)_node.System).Provider.ResolveActorRef($"{Stranger.Address}/user/x#7");
        using (var stranger = await Stranger.ShakeHands(_node))
        {
            probe.Tell((Action<IActorContext>)(context => context.Watch(remote)));
            Assert.Equal(FrameKind.Watch, (await stranger.NextFrame()).Kind);
        }
        using var again = await Stranger.ShakeHands(_node);
        var (kind, body) = await again.NextFrame();
        Assert.Equal(FrameKind.Watch, kind);
        var (watcher, watchee) = TwoTexts(body);
        await again.Send(Frames.Stopped(watcher, watchee, existed: false));
        Assert.Equal(remote, inbox.Next<Terminated>().ActorRef);
    }

    [Fact]
    public async Task A_watch_is_sent_again_when_the_peer_is_back_before_its_old_connection_ends()
    {
        var probe = Probe.In(_node.System, new Inbox());
        var remote = ((ExtendedActorSystem)_node.System).Provider.ResolveActorRef($"{Stranger.Address}/user/x#7");
        var stranger = await Stranger.ShakeHands(_node);
        probe.Tell((Action<IActorContext>)(context => context.Watch(remote)));
        Assert.Equal(FrameKind.Watch, (await stranger.NextFrame()).Kind);
        using var again = await Stranger.ShakeHands(_node);
        stranger.Dispose();
        Assert.Equal(FrameKind.Watch, (await again.NextFrame()).Kind);
    }

    [Fact]
    public async Task A_quarantined_incarnation_is_told_so_and_the_next_one_is_welcome()
    {
        var quarantined = new Inbox();
        _node.System.EventStream.Subscribe(Probe.In(_node.System, quarantined), typeof(QuarantinedEvent));
        using var stranger = await Stranger.ShakeHands(_node, uid: 5);
        Transport.Quarantine(Stranger.Address, 5, "for the test");
        Assert.Equal(5, quarantined.Next<QuarantinedEvent>().Uid);
        var (kind, body) = await stranger.NextFrame();
        Assert.Equal((FrameKind.Goodbye, 1), (kind, body[0]));
        using (var same = await Stranger.Connect(_node))
        {
            await same.Send(Stranger.HelloTo(_node, uid: 5));
            Assert.Equal(FrameKind.Goodbye, (await same.NextFrame()).Kind);
        }
        using var next = await Stranger.ShakeHands(_node, uid: 6);
    }

    [Fact]
    public async Task Peers_that_are_gone_are_forgotten()
    {
        using (await Stranger.ShakeHands(_node)) Assert.NotNull(Transport.PeerFor(Stranger.Address));
        var peer = Transport.PeerFor(Stranger.Address);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var deadline = new CancellationTokenSource(RemoteNode.Deadline);
        while (!peer.IsRetired) await tick.WaitForNextTickAsync(deadline.Token);
        Assert.NotSame(peer, Transport.PeerFor(Stranger.Address));
    }

    private static int Number(object message) => int.Parse(((string)message).Split(' ')[0]);

    private static string Payload(byte[] body)
    {
        var reader = new WireReader(body);
        _ = (reader.Text(2000), reader.Text(2000), reader.I32(), reader.Text(100));
        return System.Text.Encoding.UTF8.GetString(reader.Rest);
    }

    private static (string, string) TwoTexts(byte[] body)
    {
        var reader = new WireReader(body);
        return (reader.Text(2000), reader.Text(2000));
    }
}
