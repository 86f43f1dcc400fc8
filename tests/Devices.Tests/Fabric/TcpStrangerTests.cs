using System.Net.Sockets;
using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Tcp;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>Whoever finds the listener gets nowhere without the secret, and nowhere outside the window with it.</summary>
public sealed class TcpStrangerTests
{
    private static readonly World Two = Worlds.Of(2);

    [Fact]
    public void Strangers_of_all_kinds_do_not_disturb_a_setup()
    {
        string session = Ranks.NewSession();
        using var first = Fabrics.Open(FabricKind.Tcp, Setup(0, session));
        using var second = Fabrics.Open(FabricKind.Tcp, Setup(1, session));
        string[] descriptors = [first.Descriptor, second.Descriptor];
        byte[] noise = new byte[4000];
        new Random(5).NextBytes(noise);
        var unsworn = Setup(1, session) with { Options = Ranks.Options with { Secret = new byte[16] } };
        byte[] wrongSecret = Bytes(TcpHello.Of(unsworn, TcpPurpose.Data));
        byte[] wrongSession = Bytes(TcpHello.Of(Setup(1, "another"), TcpPurpose.Data));
        byte[] wrongPurpose = Bytes(TcpHello.Of(Setup(1, session), (TcpPurpose)77));
        var strangers = new List<Socket>();
        foreach (byte[] said in (byte[][])[[], [1], noise, wrongSecret, wrongSession, wrongPurpose, wrongSecret[..50]])
        {
            var stranger = Call(first.Descriptor);
            stranger.Send(said);
            strangers.Add(stranger);
        }
        strangers.Add(Call(first.Descriptor));
        strangers[^1].Close();

        IFabric? one = null;
        var thread = new Thread(() => one = first.Connect(descriptors));
        thread.Start();
        Assert.True(IsClosed(strangers[3]), "a caller with a wrong secret must be hung up on without a word");
        Assert.True(IsClosed(strangers[4]), "so must one of another session");
        using var two = second.Connect(descriptors);
        Assert.True(thread.Join(Ranks.Limit));
        two.Notify(Two.Rank(0), 0, 1);
        Assert.Equal(1UL, one!.Wait(Two.Rank(1), 0, 1));
        one.Dispose();
        foreach (var stranger in strangers) stranger.Dispose();
    }

    [Fact]
    public void More_strangers_than_are_heard_at_once_only_delay_a_setup()
    {
        string session = Ranks.NewSession();
        var clock = new TurnedClock();
        var options = Ranks.Options with { Clock = clock, SetupDeadline = TimeSpan.FromHours(1) };
        using var first = Fabrics.Open(FabricKind.Tcp, Setup(0, session) with { Options = options });
        using var second = Fabrics.Open(FabricKind.Tcp, Setup(1, session));
        string[] descriptors = [first.Descriptor, second.Descriptor];
        Socket[] strangers = [.. Enumerable.Range(0, 2 * TcpJoining.MaxCallers).Select(_ => Call(first.Descriptor))];
        IFabric? one = null;
        var thread = new Thread(() => one = first.Connect(descriptors));
        thread.Start();
        clock.Turn(TcpJoining.CallersPatience + TimeSpan.FromSeconds(1)); // also when they are not heard yet: time goes on below
        using var running = new Timer(_ => clock.Turn(TcpJoining.CallersPatience), null, 10, 10);
        using var two = second.Connect(descriptors);
        Assert.True(thread.Join(Ranks.Limit));
        one!.Dispose();
        foreach (var stranger in strangers) stranger.Dispose();
    }

    [Fact]
    public void A_rank_with_another_secret_is_told_to_check_it()
    {
        string session = Ranks.NewSession();
        using var first = Fabrics.Open(FabricKind.Tcp, Setup(0, session) with
        {
            Options = Ranks.Options with { SetupDeadline = TimeSpan.FromMilliseconds(500) },
        });
        using var second = Fabrics.Open(FabricKind.Tcp, Setup(1, session) with { Options = Ranks.Options with { Secret = new byte[16] } });
        string[] descriptors = [first.Descriptor, second.Descriptor];
        Exception? ofFirst = null;
        var thread = new Thread(() => ofFirst = Record.Exception(() => first.Connect(descriptors)));
        thread.Start();
        string message = Assert.Throws<FabricSetupException>(() => second.Connect(descriptors)).Message;
        Assert.Contains("with the same session and secret?", message, StringComparison.Ordinal);
        Assert.True(thread.Join(Ranks.Limit));
        Assert.Contains("rank 1 did not connect", Assert.IsType<FabricSetupException>(ofFirst).Message, StringComparison.Ordinal);
    }

    public static TheoryData<ulong, ulong> FramesOutside() => new()
    {
        { 1, 1024 }, { 1025, 0 }, { 0, 1025 }, { ulong.MaxValue >> 1, 8 }, { 8, ulong.MaxValue }, { 512, ulong.MaxValue - 511 },
        { 1UL << 63 | 1, 1 }, { 1UL << 63 | uint.MaxValue, 1 },
    };

    [Theory]
    [MemberData(nameof(FramesOutside))]
    public void A_frame_outside_the_window_ends_the_epoch_and_names_its_sender(ulong what, ulong amount)
    {
        string session = Ranks.NewSession();
        using var endpoint = Fabrics.Open(FabricKind.Tcp, Setup(0, session));
        string other = FabricDescriptor.Of(Setup(1, session), "unused:1");
        using var data = Greet(endpoint.Descriptor, session, TcpPurpose.Data);
        using var control = Greet(endpoint.Descriptor, session, TcpPurpose.Control);
        using var fabric = endpoint.Connect([endpoint.Descriptor, other]);
        data.Send([.. BitConverter.GetBytes(what), .. BitConverter.GetBytes(amount), .. new byte[64]]);
        var ended = Assert.Throws<FabricException>(() => fabric.Wait(Two.Rank(1), 0, 1));
        Assert.Equal(Two.Rank(1), ended.Culprit);
        Assert.Contains("outside a window of 1024 bytes and 1 flags", ended.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Frames_arrive_whole_when_they_come_byte_by_byte()
    {
        string session = Ranks.NewSession();
        using var endpoint = Fabrics.Open(FabricKind.Tcp, Setup(0, session));
        string other = FabricDescriptor.Of(Setup(1, session), "unused:1");
        using var data = Greet(endpoint.Descriptor, session, TcpPurpose.Data);
        using var control = Greet(endpoint.Descriptor, session, TcpPurpose.Control);
        using var fabric = endpoint.Connect([endpoint.Descriptor, other]);
        byte[] put = [.. BitConverter.GetBytes(1000UL), .. BitConverter.GetBytes(5UL), 1, 2, 3, 4, 5];
        byte[] notify = [.. BitConverter.GetBytes(1UL << 63), .. BitConverter.GetBytes(3UL)];
        foreach (byte one in (byte[])[.. put, .. notify])
        {
            data.Send([one]);
            fabric.Peek(Two.Rank(1), 0);
        }
        fabric.Wait(Two.Rank(1), 0, 3);
        Assert.Equal([0, 1, 2, 3, 4, 5, 0], fabric.Local(new Region(999, 7)).ToArray());
    }

    [Fact]
    public void A_listener_that_others_cannot_reach_is_refused()
    {
        foreach (string host in (string[])["0.0.0.0", "203.0.113.7", "no-such-host.invalid"])
        {
            var setup = Setup(0, "s") with { Options = Ranks.Options with { ListenHost = host } };
            string message = Assert.Throws<FabricSetupException>(() => Fabrics.Open(FabricKind.Tcp, setup)).Message;
            Assert.Contains($"'{host}'", message, StringComparison.Ordinal);
        }
        using var advertised = Fabrics.Open(FabricKind.Tcp,
            Setup(0, "s") with { Options = Ranks.Options with { ListenHost = "0.0.0.0", AdvertisedHost = "worker-7" } });
        Assert.StartsWith("worker-7:", advertised.Descriptor, StringComparison.Ordinal);
    }

    private static FabricSetup Setup(int rank, string session)
    {
        var plan = new WindowPlan();
        plan.Reserve(1024);
        plan.ReserveFlags(1);
        return new FabricSetup(Two, Two.Rank(rank), new Epoch(1), plan, Ranks.Options, session);
    }

    private static byte[] Bytes(TcpHello hello) => MemoryMarshal.AsBytes(new ReadOnlySpan<TcpHello>(in hello)).ToArray();

    private static Socket Call(string descriptor)
    {
        var to = TcpEndpoint.Parse(descriptor.Split(';')[0]);
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(to);
        return socket;
    }

    /// <summary>Says what rank 1 would say.</summary>
    private static Socket Greet(string descriptor, string session, TcpPurpose purpose)
    {
        var socket = Call(descriptor);
        socket.Send(Bytes(TcpHello.Of(Setup(1, session), purpose)));
        return socket;
    }

    private static bool IsClosed(Socket socket)
    {
        socket.ReceiveTimeout = (int)Ranks.Limit.TotalMilliseconds;
        try
        {
            return socket.Receive(new byte[1]) == 0;
        }
        catch (SocketException failed)
        {
            return failed.SocketErrorCode == SocketError.ConnectionReset;
        }
    }

    /// <summary>Real time, and jumps ahead.</summary>
    private sealed class TurnedClock : TimeProvider
    {
        private long _ahead;

        public void Turn(TimeSpan by) => Interlocked.Add(ref _ahead, (long)(by.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _ahead);
    }
}
