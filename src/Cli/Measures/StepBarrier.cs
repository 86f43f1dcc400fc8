using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>What goes around with a barrier.</summary>
/// <param name="Last">From the first member: the iteration that follows is the last.</param>
/// <param name="Choice">From the first member: which strategy it uses, by its place among those of the case.</param>
/// <param name="Nanoseconds">From every member: how long its last iteration took; what comes back is the longest.</param>
internal readonly record struct BarrierWord(bool Last = false, int Choice = 0, int Nanoseconds = 0);

/// <summary>
/// Ranks meet before each timed phase: every rank raises one flag at every other, and waits for theirs. A flag's value is the turn in
/// its upper bits and a <see cref="BarrierWord"/> below. Between two turns lies an exchange of all ranks, so that no flag is overwritten
/// before it was read.
/// </summary>
internal sealed class StepBarrier(IFabric fabric, RankGroup group, int flag)
{
    /// <summary>The most strategies that a choice tells apart.</summary>
    public const int MostChoices = 1 << ChoiceBits;

    private const int ChoiceBits = 4, TimeBits = 31, TurnShift = 1 + ChoiceBits + TimeBits;
    private readonly int _self = group.IndexOf(fabric.Self);
    private ulong _turn;

    /// <summary>Returns once all ranks came, with what they said.</summary>
    public BarrierWord Meet(BarrierWord word = default)
    {
        int members = group.Size;
        ulong turn = ++_turn << TurnShift;
        ulong said = turn | ((ulong)word.Nanoseconds << (1 + ChoiceBits)) | ((ulong)word.Choice << 1) | (word.Last ? 1UL : 0);
        for (int i = 1; i < members; i++) fabric.Notify(group[(_self + i) % members], flag, said);
        for (int i = 1; i < members; i++)
        {
            int member = (_self + members - i) % members;
            ulong seen = fabric.Wait(group[member], flag, turn);
            int took = (int)(seen >> (1 + ChoiceBits)) & int.MaxValue;
            if (took > word.Nanoseconds) word = word with { Nanoseconds = took };
            if (member == 0) word = word with { Last = (seen & 1) != 0, Choice = (int)(seen >> 1) & (MostChoices - 1) };
        }
        return word;
    }
}
