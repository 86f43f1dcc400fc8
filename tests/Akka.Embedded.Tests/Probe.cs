using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Configuration;

namespace Troupe.AkkaContract.Tests;

/// <summary>An actor system of one test; it writes no log.</summary>
internal static class Systems
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public static ActorSystem Quiet(string config = "") => ActorSystem.Create("test",
        ConfigurationFactory.ParseString(config).WithFallback(ConfigurationFactory.ParseString(
            "akka { loglevel = OFF, stdout-loglevel = OFF, log-dead-letters = off }")));
}

/// <summary>What was received, in order, to be awaited from the test.</summary>
internal sealed class Inbox
{
    private readonly BlockingCollection<(object Message, IActorRef Sender)> _received = [];

    public void Add(object message, IActorRef sender = null) => _received.Add((message, sender));

    public (object Message, IActorRef Sender) NextWithSender() => _received.TryTake(out var next, Systems.Deadline)
        ? next : throw new TimeoutException("no message came before the deadline");

    public object Next() => NextWithSender().Message;

    public T Next<T>() => NextWithSender().Message is T wanted ? wanted : throw new InvalidCastException($"wanted a {typeof(T)}");

    public object[] Next(int count) => [.. Enumerable.Range(0, count).Select(_ => Next())];

    public int Count => _received.Count;

    public bool IsEmpty => Count == 0;
}

/// <summary>Puts all that it gets into an inbox.</summary>
internal sealed class Probe : ActorBase
{
    private readonly Inbox _inbox;

    public Probe(Inbox inbox) => _inbox = inbox;

    public static IActorRef In(IActorRefFactory factory, Inbox inbox, string name = null) =>
        factory.ActorOf(Props.Create<Probe>(inbox), name);

    protected override bool Receive(object message)
    {
        if (message is Action<IActorContext> act) act(Context);
        else _inbox.Add(message, Sender);
        return true;
    }
}

/// <summary>An actor made of functions given by the test.</summary>
internal sealed class Lambda : ActorBase
{
    private readonly Func<IActorContext, object, bool> _receive;

    public Lambda(Func<IActorContext, object, bool> receive) => _receive = receive;

    public static Props Of(Action<IActorContext, object> receive)
    {
        Func<IActorContext, object, bool> handled = (context, message) =>
        {
            receive(context, message);
            return true;
        };
        return Props.Create<Lambda>(handled);
    }

    protected override bool Receive(object message) => _receive(Context, message);
}
