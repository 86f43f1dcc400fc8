using Akka.Actor;
using Akka.Configuration;
using Troupe.Actors.Protocols;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

/// <summary>A local actor system with our serializers bound as a node binds them, actors to refer to, and counters of its own.</summary>
public sealed class WireSystem : IAsyncLifetime
{
    private const string Hocon = """
        akka {
          loglevel = "OFF"
          stdout-loglevel = "OFF"
          actor {
            serializers {
              troupe = "Troupe.Actors.Protocols.ProtocolSerializer, Troupe.Actors"
              json = "Troupe.Actors.Protocols.RefusingSerializer, Troupe.Actors"
            }
            serialization-bindings {
              "Troupe.Actors.Protocols.IProtocolMessage, Troupe.Actors" = troupe
              "System.Object" = json
            }
          }
        }
        """;

    private readonly List<IActorRef> _actors = [];

    public WireSystem()
    {
        System = (ExtendedActorSystem)ActorSystem.Create("wire", ConfigurationFactory.ParseString(Hocon));
        for (int i = 0; i < 5; i++) _actors.Add(System.ActorOf(Props.Create(() => new Listener()), $"listener-{i}"));
        Serializer = new ProtocolSerializer(System, Counters);
    }

    internal ExtendedActorSystem System { get; }

    internal IReadOnlyList<IActorRef> Actors => _actors;

    internal WireCounters Counters { get; } = new();

    internal ProtocolSerializer Serializer { get; }

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => System.Terminate().WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Through bytes and back.</summary>
    internal ProtocolMessage Carry(ProtocolMessage message) =>
        (ProtocolMessage)Serializer.FromBinary(Serializer.ToBinary(message), Serializer.Manifest(message));

    private sealed class Listener : UntypedActor
    {
        protected override void OnReceive(object message)
        {
        }
    }
}

/// <summary>One system for all tests of the wire form: they only read it.</summary>
[CollectionDefinition("wire")]
public sealed class WireCollection : ICollectionFixture<WireSystem>;
