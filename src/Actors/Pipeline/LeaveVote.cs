using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>
/// The exchange of a stage 0 that has no dispatch to carry leave bits: one flag to each other rank of the group, and nothing else. The
/// flag's value grows with each vote: its number (40 bits), the step (22 bits, to notice a rank that is at another), leave, rows.
/// <para>Two flags take turns. A rank that raises the flag of vote n + 2 has seen all votes n + 1, and a rank votes n + 1 only once it has
/// read all votes n; so no vote is overtaken before it is read.</para>
/// </summary>
public sealed class LeaveVote(IFabric fabric, RankGroup group, FlagRange flags)
{
    private const int LowBits = 24;
    private const ulong LeaveBit = 1, RowsBit = 2, StepMask = (1UL << 22) - 1;
    private ulong _votes;

    /// <summary>Flags that a vote takes.</summary>
    public const int Flags = 2;

    /// <summary>Says what this rank brings and asks, and hears it from all others; the verdict is the same on all of them.</summary>
    public LeaseVerdict Vote(StepId step, bool leave, bool rows)
    {
        int flag = flags[(int)(++_votes % 2)];
        ulong head = (_votes << LowBits) | (((ulong)step.Value & StepMask) << 2);
        ulong all = (leave ? LeaveBit : 0) | (rows ? RowsBit : 0);
        for (int i = 0; i < group.Size; i++)
            if (group[i] != fabric.Self) fabric.Notify(group[i], flag, head | all);
        for (int i = 0; i < group.Size; i++)
        {
            RankId peer = group[i];
            if (peer == fabric.Self) continue;
            ulong said = fabric.Wait(peer, flag, _votes << LowBits);
            if ((said & ~(LeaveBit | RowsBit)) != head) throw Apart(peer, step, said);
            all |= said & (LeaveBit | RowsBit);
        }
        return LeaseVerdicts.Of((all & LeaveBit) != 0, (all & RowsBit) != 0);
    }

    private FabricException Apart(RankId peer, StepId step, ulong said)
    {
        string reason = $"voted on step {(said >> 2) & StepMask} (its vote {said >> LowBits}) where {fabric.Self} is at {step} "
            + $"(vote {_votes})";
        fabric.Abort(peer, reason);
        return new FabricException(fabric.Self, peer, new StepPoint(default, step, default, StepPhase.Dispatch), reason);
    }
}
