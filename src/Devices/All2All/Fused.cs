namespace Troupe.Devices.All2All;

/// <summary>
/// Rows travel in tiles: experts start on the first tile while later ones are on their way, and partial sums go back as they are finished.
/// <para>What moves when. Dispatch: the count of rows to each of the R-1 others at once; then the rows in tiles, each tile followed by a
/// flag. The receiver's handle has its own rows readable at once, and waits for others' tile by tile. The experts say which partial sums
/// are done; each tile of them goes back at once with a flag, and the owner adds a token's row as soon as its last partial sum is
/// there.</para>
/// <para>Bytes from each rank to others, with D = R (1 - C(E - E/R, K) / C(E, K)) ranks hit per row: D (R-1)/R T (Hb + 8K + 8) out and
/// D (R-1)/R T Hc back. Messages: up to 4 each way; flags: up to 5 out and back. Counts of rows may differ per rank, and
/// nothing is padded.</para>
/// <para>When it wins: where copying a row takes about as long as its experts do, so that one hides behind the other. Many experts with
/// few rows each lose by it, since their weights are read once per tile. Legal up to <see cref="Strategies.FixedCapacity"/> rows per
/// rank.</para>
/// <para>After: Huawei's MC2 (merged compute and communication) and the fused kernels of Comet.</para>
/// </summary>
internal static class Fused
{
    public static Traits Traits { get; } = new(Strategy.Fused, Tiles: Strategies.FusedTiles);
}
