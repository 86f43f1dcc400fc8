using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>Which member of an expert-parallel group holds which expert: a table, not a formula.</summary>
public sealed class ExpertPlacement
{
    private readonly int[] _ownerOf;

    private ExpertPlacement(int[] ownerOf, int members) => (_ownerOf, Members) = (ownerOf, members);

    /// <summary>Experts in the table (E).</summary>
    public int Experts => _ownerOf.Length;

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
        int[] owners = new int[experts];
        for (int member = 0, next = 0; member < members; member++)
            for (int i = 0; i < experts / members + (member < experts % members ? 1 : 0); i++) owners[next++] = member;
        return new ExpertPlacement(owners, members);
    }

    /// <summary>The group position that holds an expert.</summary>
    public int Owner(ExpertId expert) => _ownerOf[expert.Value];

    /// <summary>The experts of a member, ascending.</summary>
    public IReadOnlyList<ExpertId> Of(int member) =>
        [.. Enumerable.Range(0, Experts).Where(e => _ownerOf[e] == member).Select(e => new ExpertId(e))];
}
