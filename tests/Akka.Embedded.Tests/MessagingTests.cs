using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public class MessagingTests
{
    [Fact]
    public async Task An_answer_comes_back_to_the_asker()
    {
        using var system = Systems.Quiet();
        var echo = system.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)));
        Assert.Equal("ping", await echo.Ask<string>("ping", Systems.Deadline));
    }
}
