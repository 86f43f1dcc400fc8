using Troupe.Actors.Protocols;
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

    /// <summary>Rows of this rank's replica.</summary>
    public int Rows { get; set; }

    /// <summary>From taking the step to its end.</summary>
    public double StepUs { get; set; }

    /// <summary>Of that, in dispatch and combine.</summary>
    public double ExchangeUs { get; set; }

    /// <summary>What ended the step early, if anything did.</summary>
    public Exception? Error { get; set; }

    internal void Reset(StepPlan plan)
    {
        (Step, Lane, TokenCount, Rows, StepUs, ExchangeUs, Error) = (plan.Step, plan.Lane, 0, 0, 0, 0, null);
        Scores.Clear();
        Gathered.Clear();
        Logits.Clear();
    }
}
