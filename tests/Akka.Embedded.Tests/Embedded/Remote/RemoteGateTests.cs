using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

/// <summary>However a connection fails, the next one is tried only after retry-gate-closed-for.</summary>
public sealed class RemoteGateTests : IDisposable
{
    private const int GateMs = 150, Attempts = 4;

    private readonly RemoteNode _node =
        new($"akka.remote {{ retry-gate-closed-for = {GateMs}ms, dot-netty.tcp.connection-timeout = 200ms }}");

    private readonly Inbox _dead = new(), _failed = new();

    public RemoteGateTests()
    {
        _node.System.EventStream.Subscribe(Probe.In(_node.System, _dead), typeof(DeadLetter));
        _node.System.EventStream.Subscribe(Probe.In(_node.System, _failed), typeof(AssociationErrorEvent));
    }

    public void Dispose() => _node.Dispose();

    public static TheoryData<string> Servers => [.. s_servers.Keys];

    /// <summary>What a server does with a connection before it closes it.</summary>
    private static readonly Dictionary<string, Func<Socket, Address, RemoteNode, Task>> s_servers = new(StringComparer.Ordinal)
    {
        ["closes at once"] = (_, _, _) => Task.CompletedTask,
        ["resets at once"] = (socket, _, _) =>
        {
            socket.LingerState = new LingerOption(true, 0);
            return Task.CompletedTask;
        },
        ["is no node"] = async (socket, _, _) => await socket.SendAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray()),
        ["closes after our hello"] = async (socket, _, _) => await socket.ReceiveAsync(new byte[1024]),
        ["says nothing"] = async (socket, _, _) =>
        {
            while (await socket.ReceiveAsync(new byte[1024]) > 0)
            {
            }
        },
        ["closes after the handshake"] = async (socket, own, node) =>
        {
            await socket.ReceiveAsync(new byte[1024]);
            await socket.SendAsync(Frames.Hello(new Hello(own, 5, node.Address)).ToArray());
        },
        ["is another incarnation each time"] = async (socket, own, node) =>
        {
            await socket.ReceiveAsync(new byte[1024]);
            await socket.SendAsync(Frames.Hello(new Hello(own, socket.RemoteEndPoint.GetHashCode() & 0xffff | 1, node.Address)).ToArray());
        },
        ["says goodbye"] = async (socket, own, node) =>
        {
            await socket.ReceiveAsync(new byte[1024]);
            await socket.SendAsync(Frames.Hello(new Hello(own, 5, node.Address)).ToArray());
            await socket.SendAsync(Frames.Goodbye(false, "bye").ToArray());
        },
        ["is someone else"] = async (socket, _, node) =>
        {
            await socket.ReceiveAsync(new byte[1024]);
            await socket.SendAsync(Frames.Hello(new Hello(Stranger.Address, 5, node.Address)).ToArray());
        },
    };

    [Theory]
    [MemberData(nameof(Servers))]
    public async Task A_server_is_called_once_in_the_time_of_the_gate(string server)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Address("akka.tcp", "test", "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        int calls = 0;
        using var end = new CancellationTokenSource();
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync(end.Token);
                Interlocked.Increment(ref calls);
                try
                {
                    await s_servers[server](socket, address, _node);
                }
                catch (SocketException)
                {
                    // The node was first to close.
                }
            }
        });
        await CallsAreFew(address, () => Volatile.Read(ref calls));
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => serving.WaitAsync(RemoteNode.Deadline));
    }

    [Fact]
    public async Task A_port_where_nobody_listens_is_called_once_in_the_time_of_the_gate() =>
        await CallsAreFew(new Address("akka.tcp", "test", "127.0.0.1", ClusterNode.FreePort()), () => _failed.Count);

    /// <summary>localhost is not 127.0.0.1, so it is not known to be us before it answers.</summary>
    [Fact]
    public async Task Our_own_port_under_another_name_is_called_once_in_the_time_of_the_gate() =>
        await CallsAreFew(new Address("akka.tcp", "test", "localhost", _node.Address.Port), () => _failed.Count);

    [Fact]
    public async Task A_host_that_does_not_exist_is_called_once_in_the_time_of_the_gate() =>
        await CallsAreFew(new Address("akka.tcp", "test", "no.such.host.invalid", 1), () => _failed.Count);

    /// <summary>An actor there is watched and told messages until it was called some times; the bound holds however slow we are.</summary>
    private async Task CallsAreFew(Address address, Func<int> calls)
    {
        var remote = ((ExtendedActorSystem)_node.System).Provider.ResolveActorRef($"{address}/user/x");
        var watcher = Probe.In(_node.System, new Inbox());
        var clock = Stopwatch.StartNew();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        using var deadline = new CancellationTokenSource(RemoteNode.Deadline);
        int sent = 0;
        while (calls() < Attempts)
        {
            watcher.Tell((Action<IActorContext>)(context => context.Watch(remote)));
            for (int i = 0; i < 10; i++, sent++) remote.Tell(sent);
            await tick.WaitForNextTickAsync(deadline.Token);
        }
        int made = calls();
        Assert.InRange(made, Attempts, 2 + clock.ElapsedMilliseconds / GateMs);
        Assert.IsType<int>(_dead.Next<DeadLetter>().Message);
    }
}
