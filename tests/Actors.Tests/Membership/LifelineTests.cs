using System.Net;
using System.Net.Sockets;
using System.Text;
using Troupe.Actors.Membership;
using Xunit;

namespace Troupe.Actors.Tests.Membership;

public sealed class LifelineTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private const string Token = "0123456789abcdef0123456789abcdef";

    [Fact]
    public async Task Each_side_learns_of_the_others_end()
    {
        var lostByServer = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new LifelineServer("127.0.0.1", 0, (token, silent) => lostByServer.TrySetResult(silent ? "silent" : token));
        server.Expect(Token);
        Lifeline client = await Lifeline.ConnectAsync("127.0.0.1", server.Port, Token, () => { }, CancellationToken.None);
        client.Dispose();
        Assert.Equal(Token, await lostByServer.Task.WaitAsync(Deadline));

        var lostByClient = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Expect(Token);
        using Lifeline second =
            await Lifeline.ConnectAsync("127.0.0.1", server.Port, Token, () => lostByClient.TrySetResult(), CancellationToken.None);
        server.Dispose();
        await lostByClient.Task.WaitAsync(Deadline);
    }

    [Theory]
    [InlineData("ffffffffffffffffffffffffffffffff")]
    [InlineData("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n")]
    public async Task A_stranger_is_closed_and_disturbs_nobody(string said)
    {
        int lost = 0;
        using var server = new LifelineServer("127.0.0.1", 0, (_, _) => Interlocked.Increment(ref lost));
        server.Expect(Token);
        using var stranger = new TcpClient();
        await stranger.ConnectAsync(IPAddress.Loopback, server.Port);
        await stranger.GetStream().WriteAsync(Encoding.ASCII.GetBytes(said));
        int read;
        try
        {
            read = await stranger.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Deadline);
        }
        catch (IOException)
        {
            read = 0; // closed with a reset
        }
        Assert.Equal(0, read);
        Assert.Equal(0, Volatile.Read(ref lost));
    }

    [Fact]
    public async Task The_one_that_was_heard_longest_ago_is_known()
    {
        const string other = "ffffffffffffffffffffffffffffffff", never = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
        using var server = new LifelineServer("127.0.0.1", 0, (_, _) => { });
        server.Expect(Token);
        server.Expect(other);
        server.Expect(never);
        using var silent = new TcpClient();
        await silent.ConnectAsync(IPAddress.Loopback, server.Port);
        await silent.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Token));
        Assert.True(SpinWait.SpinUntil(() => server.Quietest([Token, never], TimeSpan.Zero) == Token, Deadline));
        using Lifeline beats = await Lifeline.ConnectAsync("127.0.0.1", server.Port, other, () => { }, CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => server.Quietest([other], TimeSpan.Zero) == other, Deadline));
        Assert.Equal(Token, server.Quietest([other, Token, never], TimeSpan.Zero));
        Assert.Null(server.Quietest([other, Token, never], TimeSpan.FromHours(1)));
        Assert.Null(server.Quietest([never], TimeSpan.Zero));
    }

    [Fact]
    public async Task A_connection_that_stays_but_says_nothing_is_lost_after_its_silence_and_one_that_beats_is_not()
    {
        const string beating = "ffffffffffffffffffffffffffffffff";
        var lost = new TaskCompletionSource<(string, bool)>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new LifelineServer("127.0.0.1", 0, (token, silent) => lost.TrySetResult((token, silent)));
        // The beating one connects first and would be the first to be lost; the margin is wide for a machine that is busy.
        TimeSpan silence = Lifeline.Beat * 6;
        server.Expect(beating, silence);
        server.Expect(Token, silence);
        using Lifeline beats = await Lifeline.ConnectAsync("127.0.0.1", server.Port, beating, () => { }, CancellationToken.None);
        using var mute = new TcpClient();
        await mute.ConnectAsync(IPAddress.Loopback, server.Port);
        await mute.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Token));
        Assert.Equal((Token, true), await lost.Task.WaitAsync(Deadline));
    }
}
