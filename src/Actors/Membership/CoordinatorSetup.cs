using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Actors.Routing;

namespace Troupe.Actors.Membership;

/// <summary>What a coordinator is started with.</summary>
/// <param name="Terms">What every node must agree with.</param>
/// <param name="Shape">The model's sizes, for the router's cost model.</param>
/// <param name="LifelineHost">Address that lifelines listen on and are told to connect to; empty where all ranks share this
/// process.</param>
/// <param name="LifelinePort">Port, 0 for a free one.</param>
/// <param name="JoinDeadline">The longest to wait for all ranks.</param>
/// <param name="DrainDeadline">The longest a drain may take.</param>
/// <param name="AbortReport">The longest that survivors of an abort are waited for.</param>
/// <param name="Silence">The longest that a node may say nothing before it is taken for hung.</param>
/// <param name="Port">Akka's cluster, or none.</param>
/// <param name="Observer">Whoever hosts the control node.</param>
/// <param name="Inspector">Answers the state tooling.</param>
public sealed record CoordinatorSetup(
    ClusterTerms Terms, StepShape Shape, string LifelineHost, int LifelinePort, TimeSpan JoinDeadline, TimeSpan DrainDeadline,
        TimeSpan AbortReport, TimeSpan Silence,
    IClusterPort Port, IClusterObserver Observer, Inspector Inspector);

/// <summary>What the program that hosts the control node is told of.</summary>
public interface IClusterObserver
{
    /// <summary>The cluster changed: members joined, loaded, became ready.</summary>
    void Changed(CoordinatorState state);

    /// <summary>Something is not as the user asked for; one line says what happens instead.</summary>
    void Warned(string line);

    /// <summary>The cluster is over; an error, or null after a drain.</summary>
    void Ended(string? error);
}

/// <summary>What the state tooling looks at: the coordinator's state and where to ask for the rest.</summary>
public sealed record InspectedCluster(CoordinatorState State, IActorRef? Router, IActorRef Coordinator);

/// <summary>
/// Clients that are connected. A remote one has a lifeline; a local one needs none. Bounded: the oldest local entry goes first.
/// </summary>
public sealed class ClientRegistry
{
    private const int MaxLocal = 1024;
    private readonly Dictionary<string, (string Token, Connect Client)> _remote = new(StringComparer.Ordinal);
    private readonly Queue<Connect> _local = new();

    /// <summary>Adds a client, or finds it again: one that waits for the cluster asks many times.</summary>
    /// <returns>Its lifeline's token, or nothing for a local client.</returns>
    public string Add(Connect client, Func<string> newToken)
    {
        if (client.Client.Path.Address.HasLocalScope)
        {
            if (_local.Any(c => c.ClientId == client.ClientId)) return "";
            _local.Enqueue(client);
            if (_local.Count > MaxLocal) _local.Dequeue();
            return "";
        }
        if (!_remote.TryGetValue(client.ClientId, out (string Token, Connect Client) known)) known = (newToken(), client);
        _remote[client.ClientId] = known;
        return known.Token;
    }

    /// <summary>Takes out the client of a lifeline.</summary>
    /// <returns>Its id, or null if no client has this lifeline.</returns>
    public string? Remove(string token)
    {
        string? id = _remote.FirstOrDefault(c => c.Value.Token == token).Key;
        if (id is not null) _remote.Remove(id);
        return id;
    }

    /// <summary>Where to reach all of them.</summary>
    public IEnumerable<IActorRef> All => _remote.Values.Select(c => c.Client.Client).Concat(_local.Select(c => c.Client));
}
