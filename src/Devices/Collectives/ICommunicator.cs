using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Collectives;

/// <summary>
/// Collectives and messages of one explicit group. Calls come from the executor thread; a collective is called by all members in the same
/// order. Sizes may differ per member and be zero. Sums add in ascending order of members from +0: the same bits on every run and every
/// fabric. A wait that fails ends with <see cref="FabricException"/>.
/// </summary>
public interface ICommunicator
{
    /// <summary>The members.</summary>
    RankGroup Group { get; }

    /// <summary>This rank's position in the group.</summary>
    int Position { get; }

    /// <summary>Batched collectives: several tensors of any type in one exchange, read in place.</summary>
    Exchange Exchange { get; }

    /// <summary>Sends a small header (up to 112 bytes) and values to another member.</summary>
    void Send<THeader, T>(RankId to, in THeader header, ReadOnlySpan<T> values)
        where THeader : unmanaged
        where T : unmanaged;

    /// <summary>Takes the next message of another member.</summary>
    /// <returns>How many values came; they stand at the start of <paramref name="values"/>.</returns>
    int Receive<THeader, T>(RankId from, out THeader header, Span<T> values)
        where THeader : unmanaged
        where T : unmanaged;

    /// <summary>
    /// Says that this member is ready for the next message of another: a rendezvous Send returns from here on. Only needed to send before
    /// one receives; <see cref="Receive"/> does it by itself.
    /// </summary>
    void PostReceive(RankId from);

    /// <summary>
    /// Joins everybody's values in order of members. <paramref name="counts"/>: [R], how many came from each.
    /// <paramref name="all"/> must hold them all; a member's own values may already stand in their place there.
    /// </summary>
    void AllGatherV<T>(ReadOnlySpan<T> mine, Span<T> all, Span<int> counts)
        where T : unmanaged;

    /// <summary>
    /// Adds up, for each member, what all hold for it. <paramref name="parts"/>: the values for member 0, then for member 1, and so on;
    /// <paramref name="counts"/>: [R], how many for each, the same on all members; <paramref name="mine"/>: the sums of this member's part.
    /// </summary>
    void ReduceScatterV(ReadOnlySpan<float> parts, ReadOnlySpan<int> counts, Span<float> mine);

    /// <summary>Replaces values by their sums over all members. As many on each.</summary>
    void AllReduce(Span<float> values);

    /// <summary>Gives everybody the root's values. As many on each.</summary>
    void Broadcast<T>(RankId root, Span<T> values)
        where T : unmanaged;

    /// <summary>Returns once every member has called it.</summary>
    void Barrier();
}
