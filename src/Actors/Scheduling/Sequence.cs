using Akka.Actor;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Scheduling;

/// <summary>One request from queue to end, as its scheduler sees it.</summary>
public sealed class Sequence(RequestSpec request, string clientId, IActorRef client, int[] prompt, long queuedAt)
{
    /// <summary>What was asked for.</summary>
    public RequestSpec Request { get; } = request;

    /// <summary>Whose request it is; a client that dies takes all of its requests along.</summary>
    public string ClientId { get; } = clientId;

    /// <summary>Where tokens go.</summary>
    public IActorRef Client { get; } = client;

    /// <summary>The prompt's tokens.</summary>
    public int[] Prompt { get; } = prompt;

    /// <summary>Tokens drawn so far, kept so that the request can be resumed by prefilling them again.</summary>
    public List<int> Generated { get; } = [];

    /// <summary>Tokens known: prompt and drawn.</summary>
    public int Known => Prompt.Length + Generated.Count;

    /// <summary>Positions whose KV is computed; the rows of a running step count once it ends.</summary>
    public int Computed { get; set; }

    /// <summary>Rows in the lane's running step.</summary>
    public int InFlight { get; set; }

    /// <summary>The slot held, or -1.</summary>
    public int Slot { get; set; } = -1;

    /// <summary>The KV blocks held.</summary>
    public int[] Blocks { get; set; } = [];

    /// <summary>Why the request ends, once it does; its slot is given back when its lane's running step has ended.</summary>
    public string? Ending { get; set; }

    /// <summary>Whether stage 0 was told that it ends, where its lane goes on by itself.</summary>
    public bool EndTold { get; set; }

    /// <summary>When it was queued, admitted, and drew its first token, in timestamps of the scheduler's clock; 0 for not yet.</summary>
    public (long Queued, long Admitted, long FirstToken) Times { get; set; } = (queuedAt, 0, 0);
}
