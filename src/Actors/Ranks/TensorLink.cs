using Troupe.Actors.Protocols;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Ranks;

/// <summary>
/// What the tensor ranks of a replica tell each other beside the sums of their layers: all run the same steps over the same rows, and what
/// only the first of them can know comes from it. At stage 0 that is which sequences a leased step has rows of, since notes about ends come
/// to it alone; at the last stage it is the tokens, since it alone draws. Used by the executor thread only.
/// </summary>
internal sealed class TensorLink(IFabric fabric, ICommunicator ranks, int maxSlots)
{
    private readonly int[] _slots = new int[maxSlots];

    /// <summary>Whether this rank is the first.</summary>
    public bool Leads => ranks.Position == 0;

    /// <summary>The shape of the communicator: sums of layers of at most so many bytes, and a slot each for every sequence.</summary>
    public static CommunicatorShape Shape(int tensorRanks, long sumBytes, int maxRunning) => new(tensorRanks)
    {
        CollectiveBytes = Math.Max(sumBytes, (long)maxRunning * System.Runtime.CompilerServices.Unsafe.SizeOf<SlotToken>()),
        MessageBytes = (long)maxRunning * sizeof(int),
        Senders = Senders.Any,
    };

    /// <summary>The first rank says which slots a leased step has a row of, each.</summary>
    public void TellRows(StepId step, ReadOnlySpan<int> slots)
    {
        for (int i = 1; i < ranks.Group.Size; i++) ranks.Send(ranks.Group[i], step.Value, slots);
    }

    /// <summary>The others hear it; valid until the next step. A first rank that is at another step ends the epoch.</summary>
    public ReadOnlySpan<int> HearRows(StepId step)
    {
        RankId first = ranks.Group[0];
        int count = ranks.Receive(first, out long at, _slots.AsSpan());
        if (at == step.Value) return _slots.AsSpan(0, count);
        string reason = $"told its tensor ranks the rows of step {at} where {fabric.Self} is at {step}";
        fabric.Abort(first, reason);
        throw new FabricException(fabric.Self, first, fabric.StatusOf(fabric.Self), reason);
    }

    /// <summary>Gives all ranks the tokens that the first one drew. As many on each: all know which rows are drawn from.</summary>
    public void ShareTokens(Span<SlotToken> tokens)
    {
        if (tokens.Length > 0) ranks.Broadcast(ranks.Group[0], tokens);
    }
}
