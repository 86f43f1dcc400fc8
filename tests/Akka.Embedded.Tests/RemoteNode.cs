using Akka.Actor;
using Akka.Configuration;

namespace Troupe.AkkaContract.Tests;

/// <summary>An actor system that others can reach on 127.0.0.1, on a port of its own choice.</summary>
internal sealed class RemoteNode : IDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public RemoteNode(string config = "", string name = "test", int port = 0) => System = ActorSystem.Create(name,
        ConfigurationFactory.ParseString(config).WithFallback(ConfigurationFactory.ParseString($$"""
            akka {
              loglevel = {{Environment.GetEnvironmentVariable("AKKA_TEST_LOG") ?? "OFF"}}
              stdout-loglevel = OFF
              log-dead-letters = off
              actor.provider = remote
              remote {
                dot-netty.tcp { hostname = "127.0.0.1", port = {{port}} }
                watch-failure-detector { heartbeat-interval = 500ms, acceptable-heartbeat-pause = 1s, threshold = 7.0 }
                retry-gate-closed-for = 500ms
              }
            }
            """)));

    public ActorSystem System { get; }

    public Address Address => ((ExtendedActorSystem)System).Provider.DefaultAddress;

    /// <summary>The path of an actor of this node, for others.</summary>
    public string PathOf(IActorRef actor) => actor.Path.ToSerializationFormatWithAddress(Address);

    /// <summary>A reference, usable on this node, to an actor of another one.</summary>
    public IActorRef RefTo(RemoteNode other, IActorRef actor) =>
        ((ExtendedActorSystem)System).Provider.ResolveActorRef(other.PathOf(actor));

    public void Dispose() => System.Terminate().Wait(Deadline);
}
