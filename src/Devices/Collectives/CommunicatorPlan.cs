using Troupe.Devices.Fabric;

namespace Troupe.Devices.Collectives;

/// <summary>From whom a member may receive messages; each such peer costs two message slots at every rank.</summary>
public enum Senders
{
    /// <summary>Nobody: collectives only.</summary>
    None,

    /// <summary>The member before it; the first member's is the last one (a pipeline, a ring).</summary>
    Previous,

    /// <summary>Every other member.</summary>
    Any,
}

/// <summary>What a communicator's windows are made for. The same on every rank of the world.</summary>
/// <param name="Members">Ranks in each group that uses the reservation.</param>
public sealed record CommunicatorShape(int Members)
{
    /// <summary>The most bytes that a member sends to one other member in one collective.</summary>
    public long CollectiveBytes { get; init; }

    /// <summary>The most bytes of values in one message.</summary>
    public long MessageBytes { get; init; }

    /// <summary>Who sends messages to whom.</summary>
    public Senders Senders { get; init; }

    /// <summary>
    /// Whether Send returns only once the receiver has come to its Receive, as on a device fabric without buffers. Otherwise it returns as
    /// soon as one of two slots is free.
    /// </summary>
    public bool Rendezvous { get; init; }
}

/// <summary>
/// Window space for communicators of one shape. Every rank of the world reserves it once; groups that share no rank (the stages of a
/// world, the pipelines of its replicas) use the same reservation at the same time.
/// </summary>
public sealed class CommunicatorPlan
{
    internal const int MessageSlots = 2, ValuesOffset = 128;

    private readonly Region _messages;
    private readonly FlagRange _flags;

    private CommunicatorPlan(CommunicatorShape shape, ExchangePlan exchange, Region messages, FlagRange flags)
        => (Shape, Exchange, _messages, _flags) = (shape, exchange, messages, flags);

    /// <summary>What was reserved.</summary>
    public CommunicatorShape Shape { get; }

    /// <summary>The part of the collectives.</summary>
    public ExchangePlan Exchange { get; }

    /// <summary>Raised by a sender: messages sent.</summary>
    internal int SentFlag => _flags[0];

    /// <summary>Raised by a receiver: messages taken out of their slot.</summary>
    internal int TakenFlag => _flags[1];

    /// <summary>Raised by a receiver: receives begun.</summary>
    internal int PostedFlag => _flags[2];

    /// <summary>Reserves a communicator of this shape.</summary>
    public static CommunicatorPlan Reserve(WindowPlan plan, CommunicatorShape shape)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(shape.MessageBytes);
        // Rounding up each part of a collective is paid for here, so that the shape may count the bytes of its parts alone.
        var exchange = ExchangePlan.Reserve(plan, shape.Members, shape.CollectiveBytes + 64 * ExchangePlan.MaxParts);
        int sources = shape.Members == 1 ? 0 : shape.Senders switch { Senders.None => 0, Senders.Previous => 1, _ => shape.Members - 1 };
        return new CommunicatorPlan(shape, exchange,
            plan.Reserve(checked(sources * MessageSlots * SlotBytes(shape))), plan.ReserveFlags(sources == 0 ? 0 : 3));
    }

    /// <summary>Where a message of a source lies at a destination; both are positions in the group.</summary>
    internal Region Slot(int source, int destination, long message)
    {
        long slot = SlotBytes(Shape);
        int index = Shape.Senders == Senders.Previous ? 0 : source > destination ? source - 1 : source;
        return _messages.Slice((index * MessageSlots + message % MessageSlots) * slot, slot);
    }

    /// <summary>Whether a member may send to another.</summary>
    internal bool Allows(int source, int destination) => source != destination && Shape.Senders switch
    {
        Senders.Any => true,
        Senders.Previous => (source + 1) % Shape.Members == destination,
        _ => false,
    };

    private static long SlotBytes(CommunicatorShape shape) => (ValuesOffset + shape.MessageBytes + 127) / 128 * 128;
}
