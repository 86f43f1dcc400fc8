namespace Troupe.Devices.All2All;

/// <summary>
/// The strategy that always works: every row goes to every rank, which runs its own experts on all of them, and every rank gets the
/// partial sums of its rows back from every other.
/// <para>What moves when. Dispatch: all T rows of a rank, each with the experts of the receiver that it chose, to each of the R-1 others,
/// then one flag. Combine: the T partial sums of a rank's rows from each of the others, zeros where they hold none of its experts, then
/// one flag. That is an all-gather and a reduce-scatter of ragged sizes, without padding and without counts beforehand.</para>
/// <para>Bytes from each rank to others: T (Hb + 8K + 8) out and T Hc back, for b bytes per value of a row and c per value of
/// a partial sum. Messages and flags: R-1 of each, each way.</para>
/// <para>When it wins: where nearly every row hits every rank anyway (K large against R), for then it saves the bookkeeping. It needs no
/// capacity of its own, no addressable windows and no metadata, and is what every other strategy falls back to.</para>
/// </summary>
internal static class AllGatherReduceScatter
{
    public static Traits Traits { get; } = new(Strategy.AllGatherReduceScatter, AllRows: true);
}
