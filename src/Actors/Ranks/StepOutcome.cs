using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Ranks;

/// <summary>How a step went on this rank; reused from step to step. Times are in microseconds.</summary>
public sealed class StepOutcome(int slots)
{
    /// <summary>Tokens drawn; the first <see cref="TokenCount"/> count.</summary>
    public SlotToken[] Tokens { get; } = new SlotToken[slots];

    /// <summary>How many tokens were drawn.</summary>
    public int TokenCount { get; set; }

    /// <summary>Scores and probes; empty in ordinary decoding.</summary>
    public List<SlotScores> Scores { get; } = [];

    internal List<Gathered> Gathered { get; } = [];

    /// <summary>Logits that probes asked for, by slot.</summary>
    public List<(int Slot, float[] Logits)> Logits { get; } = [];

    /// <summary>The step.</summary>
    public StepId Step { get; private set; }

    /// <summary>Its lane.</summary>
    public int Lane { get; private set; }

    /// <summary>Whether it ran under a lease, and was not planned.</summary>
    public bool IsLeased { get; private set; }

    /// <summary>The lease that the lane goes on under: the step's own, or the one that its plan carried; 0 for none.</summary>
    public StepId Lease { get; private set; }

    /// <summary>Rows of this rank's replica.</summary>
    public int Rows { get; set; }

    /// <summary>Whether the lane of this rank's replica ran dry: the last step of its lane had rows, this one has none.</summary>
    public bool RanDry { get; set; }

    /// <summary>The end of the lease, if this was its last step.</summary>
    public LeaseEnded? Ended { get; set; }

    /// <summary>From taking the step to its end.</summary>
    public double StepUs { get; set; }

    /// <summary>The stage's last step before this one, whose exchanges are measured now; 0 for none.</summary>
    public StepId Exchanged { get; set; }

    /// <summary>What its dispatches and combines took by themselves; see <see cref="ExchangeTimes"/>.</summary>
    public double ExchangeUs { get; set; }

    /// <summary>Whether its exchanges were shadow checked.</summary>
    public bool Shadowed { get; set; }

    /// <summary>Where the check failed first; null where it did not.</summary>
    public RowMismatch? Mismatch { get; set; }

    /// <summary>What ended the step early, if anything did.</summary>
    public Exception? Error { get; set; }

    internal void Reset(StepPlan plan)
    {
        (IsLeased, Lease) = (false, plan.Lease?.First ?? default);
        Reset(plan.Step, plan.Lane);
    }

    internal void Reset(StepId step, int lane, StepId lease)
    {
        (IsLeased, Lease) = (true, lease);
        Reset(step, lane);
    }

    private void Reset(StepId step, int lane)
    {
        (Step, Lane, TokenCount, Rows, StepUs, ExchangeUs, Error) = (step, lane, 0, 0, 0, 0, null);
        (RanDry, Ended, Shadowed, Mismatch, Exchanged) = (false, null, false, null, default);
        Scores.Clear();
        Gathered.Clear();
        Logits.Clear();
    }
}
