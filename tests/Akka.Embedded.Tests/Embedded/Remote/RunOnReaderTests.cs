using Akka.Actor;
using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

/// <summary>Who runs the turn of an actor that gets a message from the network.</summary>
public sealed class RunOnReaderTests : IDisposable
{
    private const string Reader = "remoting ", Dispatcher = "quick";

    private readonly RemoteNode _a = new(), _b = new($"{Dispatcher}.run-on-reader = on");
    private readonly Inbox _inbox = new();

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }

    [Fact]
    public void The_thread_that_read_the_message_does_if_the_dispatcher_says_so()
    {
        _a.RefTo(_b, Actor()).Tell("from afar");
        Assert.StartsWith(Reader, _inbox.Next<string>(), StringComparison.Ordinal);
        // To another actor: the reader may still be in the first one's turn.
        Actor().Tell("from here");
        Assert.DoesNotContain(Reader, _inbox.Next<string>(), StringComparison.Ordinal);

        IActorRef Actor() => _b.System.ActorOf(ThreadNames().WithDispatcher(Dispatcher));
    }

    [Fact]
    public void A_thread_of_the_pool_does_otherwise()
    {
        _a.RefTo(_b, _b.System.ActorOf(ThreadNames())).Tell("from afar");
        Assert.DoesNotContain(Reader, _inbox.Next<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_actor_in_a_turn_finishes_it_first_and_the_order_holds()
    {
        using var gate = new ManualResetEventSlim();
        var busy = _b.System.ActorOf(Lambda.Of((_, message) =>
        {
            if (message is "wait") gate.Wait(Systems.Deadline);
            _inbox.Add(message);
        }).WithDispatcher(Dispatcher));
        busy.Tell("wait");
        var (remote, after) = (_a.RefTo(_b, busy), new Inbox());
        for (int i = 0; i < 100; i++) remote.Tell(i);
        // The reader is not held up: what comes after on the same connection is delivered.
        _a.RefTo(_b, Probe.In(_b.System, after)).Tell("after");
        Assert.Equal("after", after.Next());
        gate.Set();
        Assert.Equal(Enumerable.Range(0, 100).Cast<object>().Prepend("wait"), _inbox.Next(101));
    }

    [Theory]
    [InlineData("PinnedDispatcher")]
    [InlineData("ForkJoinDispatcher")]
    public void A_type_that_is_not_built_is_refused(string type)
    {
        using var system = Systems.Quiet($"own.type = {type}");
        var refused = Assert.Throws<ConfigurationException>(() => system.ActorOf(ThreadNames().WithDispatcher("own")));
        Assert.Contains($"got {type}", refused.Message, StringComparison.Ordinal);
    }

    private Props ThreadNames() => Lambda.Of((_, _) => _inbox.Add(Thread.CurrentThread.Name ?? ""));
}
