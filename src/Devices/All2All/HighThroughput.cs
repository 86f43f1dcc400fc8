namespace Troupe.Devices.All2All;

/// <summary>
/// One copy of a row per rank that holds at least one of its experts, counts first, rows in one batch per rank, grouped by expert.
/// <para>What moves when. Dispatch: a header with the count of rows to each of the R-1 others at once, so that receivers know what comes
/// and can prepare; then the rows, each with its local experts and weights, ordered by the first expert that needs them, in one batch and
/// one flag per rank. Combine: one partial sum per row back, in one batch, and a flag.</para>
/// <para>Bytes from each rank to others, with D = R (1 - C(E - E/R, K) / C(E, K)) ranks hit per row: D (R-1)/R T (Hb + 8K + 8) out and
/// D (R-1)/R T Hc back. Messages: R-1 each way; flags: 2 out, R-1 back.</para>
/// <para>When it wins: with many rows (prefill), where bytes decide and rows hit few ranks; over tcp, where a batch is one system call.
/// The order by expert lets the experts' products read their rows in sequence. No capacity below the shape's.</para>
/// <para>After: the high-throughput kernels of DeepEP (one copy per token and rank, layout known before data).</para>
/// </summary>
internal static class HighThroughput
{
    public static Traits Traits { get; } = new(Strategy.HighThroughput, Tiles: 1) { GroupByExpert = true };
}
