using Akka.Actor;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;

namespace Troupe.Actors.Hosting;

/// <summary>A client in a process of its own: an actor system with remoting that joins nothing.</summary>
public sealed class RemoteClient : IAsyncDisposable
{
    private static readonly TimeSpan TerminateGrace = TimeSpan.FromSeconds(2);
    private readonly ActorSystem _system;

    private RemoteClient(ActorSystem system, ClusterClient client) => (_system, Client) = (system, client);

    /// <summary>The client.</summary>
    public ClusterClient Client { get; }

    /// <summary>A client of the cluster that the node at <c>host:port</c> belongs to.</summary>
    /// <exception cref="ConfigException">Not an address.</exception>
    public static RemoteClient Open(string hostPort)
    {
        int colon = hostPort.LastIndexOf(':');
        if (colon < 1 || !int.TryParse(hostPort.AsSpan(colon + 1), out int port) || port is < 1 or > 65535)
            throw new ConfigException($"--at must be HOST:PORT, got '{hostPort}'");
        string host = hostPort[..colon];
        // An own address that the cluster's nodes can answer to is not needed: answers come back on the connection we open.
        HoconText akka = HoconText.Parse("the command line",
            "akka { actor.provider = remote\n remote.dot-netty.tcp { hostname = \"127.0.0.1\"\n port = 0 } }\n");
        ActorSystem system = ActorSystem.Create(Nodes.SystemName, new ConfigLayers(akka).Config);
        return new RemoteClient(system, new ClusterClient(system, ClusterClient.GatewayAt(system, Nodes.SystemName, host, port)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _system.Terminate().WithinAsync(TerminateGrace);
}
