namespace Troupe.Devices.All2All;

/// <summary>
/// Rows are written once into the receiver's mapped inbox; partial sums stay where the experts wrote them, and their owner reads them
/// there.
/// <para>What moves when. Dispatch: each row, with its local experts and weights, is copied straight into the inbox of each rank that
/// holds one of them, then one flag with the count. Combine: one flag; the owner of a row reads the partial sums in the windows of the
/// ranks that made them, while it adds.</para>
/// <para>Bytes between ranks, with D = R (1 - C(E - E/R, K) / C(E, K)) ranks hit per row: D (R-1)/R T (Hb + 8K + 8) written by the source
/// and D (R-1)/R T Hc read by it. No messages but R-1 flags each way.</para>
/// <para>When it wins: on one host, in decode, where ranks are few: a row crosses between cores once each way, and the rank that made a
/// partial sum does not wait for stores to another core's lines. Needs addressable windows.</para>
/// <para>After: the peer-mapped all-to-all of Perplexity's pplx kernels.</para>
/// </summary>
internal static class PeerMapped
{
    public static Traits Traits { get; } = new(Strategy.PeerMapped, PullSums: true);
}
