using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>
/// Ranks meet before each timed phase: every rank raises one flag at every other, and waits for theirs. The first member's flag also says
/// whether the iteration that follows is the last, so that all ranks end at the same one.
/// </summary>
internal sealed class StepBarrier(IFabric fabric, RankGroup group, int flag)
{
    private readonly int _self = group.IndexOf(fabric.Self);
    private ulong _turn;

    /// <summary>Returns once all ranks came; <paramref name="last"/> counts at the first member only.</summary>
    /// <returns>What the first member said.</returns>
    public bool Meet(bool last = false)
    {
        int members = group.Size;
        ulong turn = ++_turn << 1;
        for (int i = 1; i < members; i++)
            fabric.Notify(group[(_self + i) % members], flag, _self == 0 && last ? turn | 1 : turn);
        for (int i = 1; i < members; i++)
        {
            int member = (_self + members - i) % members;
            ulong seen = fabric.Wait(group[member], flag, turn);
            if (member == 0) last = (seen & 1) != 0;
        }
        return last;
    }
}
