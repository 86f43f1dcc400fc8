using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

// The conversation of a step: the scheduler says who takes part, offers; the router orders; ranks run and answer.

/// <summary>How a request's tokens are drawn; see Troupe.Model.Sampling.</summary>
public sealed record SamplingSpec(float Temperature, int TopK, float TopP, float MinP, float RepetitionPenalty, ulong Seed);

/// <summary>What ranks owe a sequence besides tokens.</summary>
public enum SequenceMode
{
    /// <summary>Sample after the prompt, token by token.</summary>
    Generate,

    /// <summary>Score the prompt: the log-probability of each of its tokens but the first.</summary>
    Score,

    /// <summary>Report the eight best tokens at each prompt position and the logits after the last, then generate.</summary>
    Probe,
}

/// <summary>
/// A sequence enters a slot of its replica's ranks. <paramref name="MaxTokens"/> is how many tokens may be drawn after
/// <paramref name="Ids"/>, by the request and by the context's end; with <paramref name="IgnoreEos"/> no token ends it earlier.
/// </summary>
public sealed record SlotJoin(int Slot, IReadOnlyList<int> Ids, SamplingSpec Sampling, SequenceMode Mode, IReadOnlyList<int> Blocks,
    int MaxTokens, bool IgnoreEos);

/// <summary>Rows that a slot brings to the step this delta is for.</summary>
public readonly record struct SlotWork(int Slot, int Rows);

/// <summary>From a scheduler to all ranks of its replica, in all stages: the batch of the next step of a lane.</summary>
public sealed record BatchDelta(
    Epoch Epoch, int Replica, long Version, int Lane, IReadOnlyList<SlotJoin> Joins, IReadOnlyList<int> Leaves,
        IReadOnlyList<SlotWork> Work)
    : ProtocolMessage(Epoch, default);

/// <summary>What a step is mostly made of; strategies are chosen per phase.</summary>
public enum StepKind
{
    Decode,
    Prefill,
}

/// <summary>
/// A scheduler's offer to the router for the next step of a lane; 0 rows says that it has nothing and need not be waited for.
/// <paramref name="MeasuredUs"/> is how long the exchanges of <paramref name="Step"/> took by themselves at the last stage, of the newest
/// step of which the scheduler knows it; step 0 of none. <paramref name="StepUs"/> is all of <paramref name="Ran"/>, the lane's last step.
/// </summary>
public sealed record StepOffer(Epoch Epoch, StepId Step, int Replica, int Lane, int Rows, StepKind Kind, long Version, double MeasuredUs,
        StepId Ran = default, double StepUs = 0)
    : ProtocolMessage(Epoch, Step);

/// <summary>What a replica brings to a step: its rows, and the batch version that says which.</summary>
public readonly record struct ReplicaShare(int Rows, long Version);

/// <summary>
/// Leave to go on without being asked: from step <paramref name="First"/> on every rank runs decode steps over
/// <paramref name="Lanes"/> in turn, with one strategy, until one of stage 0 leaves or <paramref name="Steps"/> steps have run. The plans
/// of the steps just before <paramref name="First"/>, one per lane in this order, carry it.
/// </summary>
/// <param name="First">The first leased step; names the lease.</param>
/// <param name="Lanes">The lanes, in the order of their steps.</param>
/// <param name="Strategy">How all leased steps dispatch and combine.</param>
/// <param name="Capacity">Rows that a rank brings to a leased step, at most.</param>
/// <param name="Steps">Steps that the lease lasts, at most.</param>
public sealed record LeaseGrant(StepId First, IReadOnlyList<int> Lanes, string Strategy, int Capacity, int Steps);

/// <summary>
/// The router's order, to every rank of every stage. <paramref name="After"/> is the lane's previous step (0 for none), whose tokens must
/// be back on the ring before stage 0 starts; <paramref name="Shares"/> is by replica. <paramref name="AskedBy"/> is the replica whose
/// offer of this lane was all that the router still waited for; -1 where something else was. <paramref name="InHalves"/>: every rank sends
/// its rows to the experts in two halves, so that one travels while the other is computed.
/// </summary>
public sealed record StepPlan(
    Epoch Epoch, StepId Step, int Lane, StepId After, string Strategy, IReadOnlyList<ReplicaShare> Shares, LeaseGrant? Lease = null,
    int AskedBy = -1, bool InHalves = false) : ProtocolMessage(Epoch, Step);

/// <summary>
/// To a stage-0 rank about the lease that starts with <paramref name="Step"/>: these slots bring no more rows, and the lease is to be left
/// if <paramref name="Leave"/>. From its scheduler, or from the router, with which somebody has work that the lease does not hold.
/// </summary>
public sealed record LeaseNote(Epoch Epoch, StepId Step, IReadOnlyList<int> Ends, bool Leave) : ProtocolMessage(Epoch, Step);

/// <summary>
/// The lease that started with <paramref name="First"/> has ended with <paramref name="Step"/>: from a stage-0 rank to its scheduler, and
/// from rank 0 to the router. <paramref name="Lasts"/> is the last step of each lane, 0 for a lane that is not under it; times are means
/// over the leased steps, in microseconds: of whole steps as that rank saw them, and of their exchanges by themselves (0: not measured).
/// </summary>
public sealed record LeaseEnded(
    Epoch Epoch, StepId Step, StepId First, IReadOnlyList<StepId> Lasts, long Steps, double StepUs, double ExchangeUs)
    : ProtocolMessage(Epoch, Step);

/// <summary>
/// A rank's shadow check failed: what a strategy made of a value of one of its rows is not what the fallback made of it. To the router,
/// which takes the strategy out of use; the step itself went on with the fallback's rows.
/// </summary>
/// <param name="Rank">Whose rows.</param>
/// <param name="Strategy">What is wrong.</param>
/// <param name="Layer">The layer, over the whole model.</param>
/// <param name="Row">The row of the rank's batch.</param>
/// <param name="Value">Which of its values differed first.</param>
/// <param name="GotValue">What the strategy made of it.</param>
/// <param name="WantedValue">What the fallback did.</param>
public sealed record ShadowMismatch(
    Epoch Epoch, StepId Step, int Rank, string Strategy, int Layer, int Row, int Value, float GotValue, float WantedValue)
    : ProtocolMessage(Epoch, Step);

/// <summary>Whether a token is a sequence's last; the last stage decides.</summary>
public enum TokenEnd
{
    /// <summary>More may follow.</summary>
    GoesOn,

    /// <summary>A token that ends text; not part of it.</summary>
    EndOfText,

    /// <summary>As many tokens as were asked for, or as the context holds.</summary>
    Length,
}

/// <summary>A token drawn for a slot.</summary>
public readonly record struct SlotToken(int Slot, int Token, TokenEnd End = TokenEnd.GoesOn);

/// <summary>
/// What a scored or probed slot got in this step. <paramref name="LogProbs"/>: one per position from <paramref name="Position"/> on
/// (Score); <paramref name="TopIds"/> and <paramref name="TopLogProbs"/>: eight per position (Probe).
/// </summary>
public sealed record SlotScores(
    int Slot, int Position, IReadOnlyList<float> LogProbs, IReadOnlyList<int> TopIds, IReadOnlyList<float> TopLogProbs);

/// <summary>
/// The last stage's answer to the scheduler of its replica. Times are in microseconds; <paramref name="ExchangeUs"/> is what the exchanges
/// of <paramref name="Exchanged"/> took by themselves, the stage's last step before this one (0: not measured). <paramref name="Lease"/> is
/// the first step of the lease under which the lane goes on by itself; 0 where its next step must be offered. The first leased step
/// without rows has a result without tokens: the lane has no more until the lease ends.
/// </summary>
public sealed record StepResult(
    Epoch Epoch, StepId Step, int Replica, int Lane, IReadOnlyList<SlotToken> Tokens, IReadOnlyList<SlotScores> Scores, double StepUs,
        double ExchangeUs, StepId Lease = default, StepId Exchanged = default)
    : ProtocolMessage(Epoch, Step);

/// <summary>
/// A slice of the logits that a probe asked for, at most <see cref="MaxValues"/> values: a diagnostic, not the data plane.
/// </summary>
public sealed record LogitsSlice(Epoch Epoch, StepId Step, int Replica, int Slot, int Offset, IReadOnlyList<float> Values)
    : ProtocolMessage(Epoch, Step)
{
    /// <summary>Values in a slice: 64 KiB, half of what Akka.NET's default frame takes.</summary>
    public const int MaxValues = 16_384;
}
