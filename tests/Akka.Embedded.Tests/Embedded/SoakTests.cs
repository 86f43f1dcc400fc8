using Akka.Actor;
using Akka.Event;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded;

/// <summary>
/// Actors that live, fail, restart and end at random, under many senders. Akka.NET promises a message at most once, and on a loaded machine
/// was seen to lose one of 20,000 here; the embedded provider loses none.
/// </summary>
public class SoakTests
{
    private sealed record Numbered(int Number);

    private sealed class Fragile : ReceiveActor
    {
        public Fragile(Action<int> handled)
        {
            Receive<Exception>(cause => throw cause);
            ReceiveAsync<string>(text => text == "await", async _ => await Task.Yield());
            Receive<Numbered>(message => handled(message.Number));
        }
    }

    private sealed class Parent : ReceiveActor
    {
        public Parent(Action<int> handled)
        {
            var props = Props.Create<Fragile>(handled);
            Receive<int>(slot =>
            {
                string name = $"child{slot}";
                if (Context.Child(name).IsNobody()) Sender.Tell(Context.Watch(Context.ActorOf(props, name)));
                else Sender.Tell(Context.Child(name));
            });
            Receive<Terminated>(_ => { });
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause => cause switch
        {
            ArgumentException => Directive.Resume,
            TimeoutException => Directive.Stop,
            _ => Directive.Restart,
        });
    }

    [Fact]
    public async Task Every_message_is_handled_or_becomes_a_dead_letter_exactly_once()
    {
        const int Senders = 4, Each = 5_000, Slots = 8;
        int seed = Seed.For(nameof(Every_message_is_handled_or_becomes_a_dead_letter_exactly_once)).Next();
        int[] seen = new int[Senders * Each];
        using var system = Systems.Quiet();
        using var all = new CountdownEvent(seen.Length);
        var handled = new Action<int>(number =>
        {
            if (Interlocked.Increment(ref seen[number]) == 1) all.Signal();
        });
        var letters = system.ActorOf(Lambda.Of((_, message) =>
        {
            if (((DeadLetter)message).Message is Numbered lost) handled(lost.Number);
        }));
        system.EventStream.Subscribe(letters, typeof(DeadLetter));
        var parent = system.ActorOf(Props.Create<Parent>(handled));
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(sender => Task.Run(() => SendAsync(parent, sender * Each, Each, Slots,
            new Random(seed + sender)))));
        Assert.True(await parent.GracefulStop(Systems.Deadline));
        Assert.True(all.Wait(Systems.Deadline), $"{all.CurrentCount} messages are lost");
        Assert.All(seen, count => Assert.Equal(1, count));
    }

    private static async Task SendAsync(IActorRef parent, int first, int count, int slots, Random random)
    {
        for (int i = 0; i < count; i++)
        {
            var child = await parent.Ask<IActorRef>(random.Next(slots), Systems.Deadline);
            child.Tell(new Numbered(first + i), ActorRefs.NoSender);
            object trouble = random.Next(60) switch
            {
                0 => new InvalidOperationException("restart"),
                1 => new ArgumentException("resume"),
                2 => new TimeoutException("stop"),
                3 => PoisonPill.Instance,
                4 or 5 => "await",
                _ => null,
            };
            if (trouble is not null) child.Tell(trouble, ActorRefs.NoSender);
        }
    }
}
