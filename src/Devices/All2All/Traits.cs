namespace Troupe.Devices.All2All;

/// <summary>
/// What tells the strategies without forwarding apart: four decisions. <see cref="RowExchange"/> carries them out.
/// </summary>
/// <param name="Strategy">Whose they are.</param>
/// <param name="AllRows">Every row goes to every rank, or only to those that hold one of its experts.</param>
/// <param name="PullRows">Receivers read rows where their source has them, or sources write them into the receivers' inboxes.</param>
/// <param name="PullSums">Sources read partial sums where the experts' rank has them, or that rank writes them back.</param>
/// <param name="Tiles">
/// 0: one header announces rows and their count. 1: counts are announced first, all rows after them. More: rows, and partial sums, are
/// announced in so many tiles, so that experts start on the first while later ones travel.
/// </param>
internal sealed record Traits(Strategy Strategy, bool AllRows = false, bool PullRows = false, bool PullSums = false, int Tiles = 0)
{
    /// <summary>Rows to a rank are ordered by the first of its experts that they need, not by token.</summary>
    public bool GroupByExpert { get; init; }

    /// <summary>Whether peers' windows must be addressable.</summary>
    public bool NeedsMapping => PullRows || PullSums;
}
