using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// Which members of an expert-parallel group hold which expert: a table, not a formula. An expert may have copies; which one serves a row
/// is a function of the row's source and the expert alone, so that all ranks agree without asking.
/// </summary>
public sealed class ExpertPlacement
{
    private readonly int[][] _holders; // [E] positions in the group, ascending
    private readonly int[] _ownerOf;   // [members x E] who serves an expert's rows of a source

    /// <summary>Takes a table: for each expert the positions in the group that hold it.</summary>
    /// <exception cref="ArgumentException">An expert without a holder, or a position outside of the group.</exception>
    public ExpertPlacement(IReadOnlyList<IReadOnlyList<int>> holders, int members)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(members, 1);
        Members = members;
        _holders = [.. holders.Select(h => h.Distinct().Order().ToArray())];
        for (int e = 0; e < _holders.Length; e++)
        {
            if (_holders[e].Length == 0 || _holders[e][0] < 0 || _holders[e][^1] >= members)
                throw new ArgumentException(
                    $"expert {e} must be held by positions in [0, {members}), got [{string.Join(", ", holders[e])}]", nameof(holders));
        }
        _ownerOf = new int[members * _holders.Length];
        for (int source = 0; source < members; source++)
            for (int e = 0; e < _holders.Length; e++) _ownerOf[source * _holders.Length + e] = Serves(source, _holders[e]);
    }

    /// <summary>Experts in the table (E).</summary>
    public int Experts => _holders.Length;

    /// <summary>Members of the group (R).</summary>
    public int Members { get; }

    /// <summary>
    /// Consecutive blocks of experts, as even as they come: the first E mod R members hold one more.
    /// A group larger than the experts leaves some members without any.
    /// </summary>
    public static ExpertPlacement Blocks(int experts, int members)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(experts);
        ArgumentOutOfRangeException.ThrowIfLessThan(members, 1);
        var holders = new List<int[]>();
        for (int member = 0; member < members; member++)
            for (int i = 0; i < experts / members + (member < experts % members ? 1 : 0); i++) holders.Add([member]);
        return new ExpertPlacement(holders, members);
    }

    /// <summary>The group position that serves an expert's rows of a source.</summary>
    public int Owner(ExpertId expert, int source) => _ownerOf[source * Experts + expert.Value];

    /// <summary>[E] who serves each expert's rows of a source.</summary>
    internal ReadOnlySpan<int> Owners(int source) => _ownerOf.AsSpan(source * Experts, Experts);

    /// <summary>The experts of a member, ascending.</summary>
    public IReadOnlyList<ExpertId> Of(int member) =>
        [.. Enumerable.Range(0, Experts).Where(e => _holders[e].Contains(member)).Select(e => new ExpertId(e))];

    // The source itself if it holds a copy, for that costs no transfer; else sources take turns.
    private static int Serves(int source, int[] holders) => holders.Contains(source) ? source : holders[source % holders.Length];
}
