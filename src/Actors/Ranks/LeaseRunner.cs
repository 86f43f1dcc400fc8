using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Ranks;

/// <summary>What a rank's executor keeps of a lease besides its state: how the group's verdict is found, who ran dry, times.</summary>
internal sealed class LeaseRunner(RankRuntime rank, EpochSizes sizes)
{
    private readonly bool[] _had = new bool[sizes.Lanes];
    private double _stepUs, _exchangeUs;
    private long _exchanged;

    /// <summary>Where the lease stands.</summary>
    public RankLease State { get; } = new();

    /// <summary>
    /// Stage 0's verdict of a leased step: what the headers of its first dispatch said, or a vote where it has no dispatch to carry it. A
    /// group of one asks nobody.
    /// </summary>
    public LeaseVerdict Verdict(StepId step, bool leave, bool rows, StepVerdict? heard)
    {
        if (heard is { } said) (leave, rows) = (said.Leave, !said.AllIdle);
        else if (rank.Vote is { } vote) return vote.Vote(step, leave, rows);
        return LeaseVerdicts.Of(leave, rows);
    }

    /// <summary>A planned step of a lane had this many rows.</summary>
    public void Had(int lane, int rows) => _had[lane] = rows > 0;

    /// <summary>Whether a leased step is the first of its lane without rows.</summary>
    public bool RanDry(int lane, int rows)
    {
        bool dry = _had[lane] && rows == 0;
        Had(lane, rows);
        return dry;
    }

    /// <summary>Adds a leased step to the lease's times.</summary>
    public void Count(StepOutcome outcome)
    {
        if (State.Walk!.Done == 1) (_stepUs, _exchangeUs, _exchanged) = (0, 0, 0);
        _stepUs += outcome.StepUs;
        if (outcome.Exchanged < State.Walk.Grant.First) return; // a planned step's
        _exchangeUs += outcome.ExchangeUs;
        _exchanged++;
    }

    /// <summary>What is said of the lease that has just ended.</summary>
    public LeaseEnded Over(Epoch epoch)
    {
        LeaseWalk walk = State.Walk!;
        return new LeaseEnded(epoch, new StepId(walk.Step.Value - 1), walk.Grant.First, walk.LastsOf(sizes.Lanes), walk.Done,
            _stepUs / walk.Done, _exchanged == 0 ? 0 : _exchangeUs / _exchanged);
    }
}
