using System.Collections.Immutable;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Client;

/// <summary>
/// To which replica a request goes, pure: of those that have the KV for it now the one with least to do, else of all of them. Equals take
/// turns. What was given out since the replicas spoke counts at once.
/// </summary>
public sealed record LoadBalance
{
    /// <summary>Bytes of UTF-8 that a token of a prompt is taken to stand for: only the scheduler has the tokenizer.</summary>
    private const int BytesPerToken = 4;

    private ImmutableArray<ReplicaLoad?> Loads { get; init; }

    private int Turn { get; init; }

    /// <summary>Nobody has spoken yet.</summary>
    public static LoadBalance Of(int replicas) => new() { Loads = [.. new ReplicaLoad?[replicas]] };

    /// <summary>Whether every replica has spoken since <see cref="Forget"/>.</summary>
    public bool IsComplete => !Loads.Contains(null);

    /// <summary>The replicas are to be asked again; whose turn it is stays.</summary>
    public LoadBalance Forget() => this with { Loads = [.. new ReplicaLoad?[Loads.Length]] };

    /// <summary>A replica has spoken.</summary>
    public LoadBalance On(ReplicaLoad load) => load.Replica < Loads.Length ? this with { Loads = Loads.SetItem(load.Replica, load) } : this;

    /// <summary>The replica for a request. One that has not spoken is taken last: it is slow to answer.</summary>
    public (LoadBalance After, int Replica) Choose(RequestSpec request)
    {
        long tokens = request.Prompt is { } text ? (text.Length / BytesPerToken) + 1 : request.Ids.Count, rows = tokens + request.MaxTokens;
        int chosen = Enumerable.Range(0, Loads.Length).MinBy(r =>
            (Loads[r] is null, Loads[r]?.FreeKv < rows, Loads[r]?.WaitingRows ?? 0, (r - Turn + Loads.Length) % Loads.Length));
        ReplicaLoad? load = Loads[chosen];
        ImmutableArray<ReplicaLoad?> after = load is null ? Loads
            : Loads.SetItem(chosen, load with { WaitingRows = load.WaitingRows + rows, FreeKv = load.FreeKv - rows });
        return (this with { Loads = after, Turn = (chosen + 1) % Loads.Length }, chosen);
    }
}
