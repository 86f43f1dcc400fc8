using System.Text.Json;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;

namespace Troupe.Actors.Client;

/// <summary>A client actor behind tasks, for the command line and tests.</summary>
public sealed class ClusterClient
{
    private static readonly TimeSpan InspectDeadline = TimeSpan.FromSeconds(3);
    private readonly ICanTell _gateway;
    private readonly IActorRef _actor;

    /// <summary>
    /// A client in an actor system of one's own, or in a node's. <paramref name="gateway"/> is a ref or a selection of any node's gateway.
    /// </summary>
    public ClusterClient(ActorSystem system, ICanTell gateway)
    {
        _gateway = gateway;
        string id = $"client-{Guid.NewGuid():N}";
        _actor = system.ActorOf(Props.Create(() => new ClientActor(gateway, id)), id);
    }

    /// <summary>The gateway of the node at <c>host:port</c>.</summary>
    public static ActorSelection GatewayAt(ActorSystem system, string systemName, string host, int port) =>
        system.ActorSelection($"akka.tcp://{systemName}@{host}:{port}/user/gateway");

    /// <summary>Returns once the cluster is ready; <paramref name="waiting"/> hears what it waits for meanwhile.</summary>
    /// <exception cref="ClusterException">The cluster has ended.</exception>
    public async Task ReadyAsync(Action<string>? waiting, CancellationToken cancel)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _actor.Tell(new AwaitReady(waiting, done), ActorRefs.NoSender);
        await done.Task.WaitAsync(cancel);
    }

    /// <summary>
    /// Runs a batch to its end; <paramref name="onEvent"/> hears of each change, with the text that is new. A request that fails ends with
    /// reason <c>error</c>, it does not throw. Cancelling cancels the requests and waits for their end.
    /// </summary>
    public async Task<IReadOnlyList<RequestOutcome>> RunAsync(
        IReadOnlyList<RequestSpec> requests, Action<RequestOutcome, string>? onEvent, CancellationToken cancel)
    {
        var done = new TaskCompletionSource<IReadOnlyList<RequestOutcome>>(TaskCreationOptions.RunContinuationsAsynchronously);
        _actor.Tell(new RunBatch(requests, onEvent, done), ActorRefs.NoSender);
        await using CancellationTokenRegistration registration = cancel.Register(() =>
        {
            foreach (RequestSpec request in requests) _actor.Tell(new CancelRequest(request.Id), ActorRefs.NoSender);
        });
        return await done.Task;
    }

    /// <summary>Gives up a request of anybody's.</summary>
    public void Cancel(string id) => _actor.Tell(new CancelRequest(id), ActorRefs.NoSender);

    /// <summary>What the last steps of every rank were made of, and how the ranks' clocks lie; by rank.</summary>
    /// <exception cref="ClusterException">Nobody answers, or no trace or none so long is kept.</exception>
    public async Task<IReadOnlyList<RankTrace>> TraceAsync(int steps, CancellationToken cancel)
    {
        string clocks = await InspectAsync(Subject.Clocks, "").WaitAsync(cancel);
        List<ClockReport> ranks = JsonSerializer.Deserialize(clocks, ReportJson.Default.ListClockReport)!;
        if (ranks.Count == 0) throw new ClusterException("no rank has joined this cluster yet; `troupe status` says what it waits for");
        return await Task.WhenAll(ranks.Select(clock => TraceReader.ReadAsync(_gateway, clock, steps, cancel)));
    }

    /// <summary>Asks the state tooling; JSON.</summary>
    /// <exception cref="ClusterException">Nobody answers, or the answer is an error.</exception>
    public async Task<string> InspectAsync(Subject subject, string argument)
    {
        try
        {
            Inspection answer = await _gateway.Ask<Inspection>(new Inspect(subject, argument), InspectDeadline);
            return answer.Error.Length == 0 ? answer.Json : throw new ClusterException(answer.Error);
        }
        catch (AskTimeoutException)
        {
            throw new ClusterException($"no cluster answered within {InspectDeadline.TotalSeconds:0} s; is one running there?");
        }
    }
}
