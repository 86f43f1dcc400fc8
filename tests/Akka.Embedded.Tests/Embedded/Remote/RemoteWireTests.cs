using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using Akka.Serialization;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

/// <summary>What strangers on the port can do to a node: nothing but lose their own connection.</summary>
public sealed class RemoteWireTests : IDisposable
{
    private readonly RemoteNode _node = new("akka { loglevel = WARNING, loggers = [], remote.dot-netty.tcp.connection-timeout = 1s }");
    private readonly RemoteNode _other = new();
    private readonly Inbox _warnings = new();

    public RemoteWireTests() => _node.System.EventStream.Subscribe(Probe.In(_node.System, _warnings), typeof(Warning));

    public void Dispose()
    {
        _node.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task Garbage_is_refused()
    {
        byte[] garbage = new byte[4000];
        Seed.For(nameof(Garbage_is_refused)).NextBytes(garbage);
        await Refused(garbage, "a frame must be");
    }

    [Fact]
    public async Task A_frame_that_claims_to_be_huge_is_refused() => await Refused([0xff, 0xff, 0xff, 0x7f, 1], "a frame must be");

    [Fact]
    public async Task A_frame_with_a_negative_length_is_refused() => await Refused([0, 0, 0, 0x80, 1], "a frame must be");

    [Fact]
    public async Task A_message_before_the_handshake_is_refused() =>
        await Refused(Frames.Empty(FrameKind.Heartbeat).ToArray(), "a handshake must come first");

    [Fact]
    public async Task Another_magic_is_refused()
    {
        byte[] hello = Stranger.HelloTo(_node);
        hello[Frames.HeaderBytes] ^= 0xff;
        await Refused(hello, "a handshake must begin with");
    }

    [Fact]
    public async Task Another_version_is_refused_with_both_versions()
    {
        byte[] hello = Stranger.HelloTo(_node);
        hello[Frames.HeaderBytes + 4] = 77;
        await Refused(hello, $"version must be {Frames.Version}, got 77");
    }

    [Fact]
    public async Task A_call_for_another_system_is_refused_with_both_addresses() =>
        await Refused(Frames.Hello(new Hello(Stranger.Address, 5, new Address("akka.tcp", "x", "127.0.0.1", 2))).ToArray(),
            $"this is {_node.Address}, not akka.tcp://x@127.0.0.1:2");

    [Fact]
    public async Task Half_a_frame_and_then_nothing_is_closed_after_the_timeout() =>
        await Refused(Stranger.HelloTo(_node)[..20], "no complete frame within");

    [Fact]
    public async Task Silence_is_closed_after_the_timeout() => await Refused([], "no complete frame within");

    [Fact]
    public async Task Half_a_frame_after_the_handshake_is_closed_after_the_timeout()
    {
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Frames.Goodbye(false, "bye").ToArray()[..6]);
        Assert.Equal(0, await stranger.ReadToEnd());
        await StillWorks();
    }

    [Fact]
    public async Task After_the_handshake_a_malformed_frame_closes_the_connection()
    {
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Frames.Begin(FrameKind.Message).U16(60_000).Seal());
        Assert.Equal(0, await stranger.ReadToEnd());
        await StillWorks();
    }

    [Fact]
    public async Task A_payload_that_nobody_can_read_costs_only_that_message()
    {
        var inbox = new Inbox();
        string path = _node.PathOf(Probe.In(_node.System, inbox, "probe"));
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Stranger.Message(path, serializer: 1, "System.Diagnostics.Process, System", [1, 2, 3]));
        await stranger.Send(Stranger.Message(path, serializer: 17, "?", [1, 2, 3]));
        await stranger.Send(Stranger.Message(path, serializer: 17, "S", "after"u8));
        Assert.Equal("after", inbox.Next());
        Assert.Contains("System.Diagnostics.Process", _warnings.Next<Warning>().ToString());
    }

    [Fact]
    public async Task Messages_for_actors_of_other_systems_are_not_passed_on()
    {
        var (inbox, here) = (new Inbox(), new Inbox());
        string elsewhere = _other.PathOf(Probe.In(_other.System, inbox, "probe"));
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Stranger.Message(elsewhere, serializer: 17, "S", "through you"u8));
        await stranger.Send(Stranger.Message(_node.PathOf(Probe.In(_node.System, here)), serializer: 17, "S", "to you"u8));
        Assert.Equal("to you", here.Next());
        Assert.True(inbox.IsEmpty);
    }

    [Fact]
    public async Task A_death_notice_without_a_watch_is_not_believed()
    {
        var inbox = new Inbox();
        var victim = _other.System.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)), "victim");
        var remote = _node.RefTo(_other, victim);
        var watcher = Probe.In(_node.System, inbox, "watcher");
        watcher.Tell((Action<IActorContext>)(context => context.Watch(remote)));
        Assert.Equal("alive", await remote.Ask<string>("alive", RemoteNode.Deadline));
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Frames.Stopped(_node.PathOf(watcher), _other.PathOf(victim), existed: true));
        await stranger.Send(Stranger.Message(_node.PathOf(watcher), serializer: 17, "S", "after"u8));
        Assert.Equal("after", inbox.Next());
    }

    /// <summary>Nested as deep as a frame allows, which must not end in a stack overflow.</summary>
    [Fact]
    public async Task A_payload_nested_thousands_deep_costs_only_that_message()
    {
        byte[] nested = [0];
        while (nested.Length < 120_000)
        {
            using var stream = new MemoryStream();
            using var writer = new BinaryWriter(stream);
            writer.Write(true);
            writer.Write(16);
            writer.Write("SS");
            writer.Write(nested.Length);
            writer.Write(nested);
            nested = stream.ToArray();
        }
        var inbox = new Inbox();
        string path = _node.PathOf(Probe.In(_node.System, inbox));
        using var stranger = await Stranger.ShakeHands(_node);
        await stranger.Send(Stranger.Message(path, serializer: 16, "SS", nested));
        await stranger.Send(Stranger.Message(path, serializer: 17, "S", "after"u8));
        Assert.Equal("after", inbox.Next());
        Assert.Contains($"nest at most {MiscMessageSerializer.MaxDepth} deep", _warnings.Next<Warning>().ToString());
    }

    [Theory]
    [InlineData(MiscMessageSerializer.MaxDepth, true)]
    [InlineData(MiscMessageSerializer.MaxDepth + 1, false)]
    public void Payloads_nest_up_to_the_limit_also_on_the_way_out(int depth, bool travels)
    {
        object message = "core";
        for (int i = 0; i < depth; i++) message = new Status.Success(message);
        var serialization = _node.System.Serialization;
        // Twice: a refusal leaves nothing behind.
        for (int run = 0; run < 2; run++)
        {
            if (!travels) Assert.Throws<SerializationException>(() => serialization.Serialize(message));
            else
            {
                object read = serialization.Deserialize(serialization.Serialize(message), 16, "SS");
                for (int i = 0; i < depth; i++) read = Assert.IsType<Status.Success>(read).Status;
                Assert.Equal("core", read);
            }
        }
    }

    private async Task Refused(byte[] bytes, string why)
    {
        using var stranger = await Stranger.Connect(_node);
        await stranger.Send(bytes);
        await stranger.ReadToEnd();
        Assert.Contains(why, _warnings.Next<Warning>().ToString());
        await StillWorks();
    }

    private async Task StillWorks()
    {
        var echo = _node.System.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)));
        Assert.Equal("still here", await _other.RefTo(_node, echo).Ask<string>("still here", RemoteNode.Deadline));
    }
}
