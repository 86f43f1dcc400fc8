namespace Troupe.Devices.All2All;

/// <summary>
/// One-sided puts of just the rows that are used, into slots that were reserved for the worst case; no counts are exchanged beforehand.
/// <para>What moves when. Dispatch: each row, with its local experts and weights, once to each rank that holds one of them, into this
/// rank's slots there; then one flag, which carries the count. Combine: the partial sum of each row is put back into the slot that the
/// source keeps for it, then one flag; the source adds. Where windows are addressable, rows are written, and partial sums computed, right
/// where they are read: nothing is staged.</para>
/// <para>Bytes from each rank to others, with D = R (1 - C(E - E/R, K) / C(E, K)) ranks hit per row: D (R-1)/R T (Hb + 8K + 8) out and
/// D (R-1)/R T Hc back: only rows that are used, where a fixed exchange of the whole capacity would send it all. Messages and flags: R-1
/// each way.</para>
/// <para>When it wins: in decode, with few rows, where the count of messages and flags decides. Legal up to
/// <see cref="Strategies.FixedCapacity"/> rows per rank; beyond, the router picks another.</para>
/// <para>After: the low-latency kernels of DeepEP.</para>
/// </summary>
internal static class LowLatency
{
    public static Traits Traits { get; } = new(Strategy.LowLatency);
}
