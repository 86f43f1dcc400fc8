using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Troupe.Actors.Protocols;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>The regions and flags of the stage-to-stage traffic in the symmetric window. One slot per lane.</summary>
/// <remarks>
/// A slot needs no credits: a lane's next step starts only after its last one has come back around the ring, so the slot has been read by
/// then.
/// </remarks>
public sealed record StageLinkPlan(int Lanes, int MaxRows, int Hidden, int MaxTokens, Region Heads, Region Rows, Region Tokens,
    FlagRange Sent, FlagRange Ring, FlagRange Posted, FlagRange Soon)
{
    /// <summary>Reserves what the links of all stages need; the same on every rank.</summary>
    public static StageLinkPlan Reserve(WindowPlan plan, int lanes, int maxRows, int hidden, int maxTokens) => new(
        lanes, maxRows, hidden, maxTokens,
        plan.Reserve((long)lanes * HeadBytes(maxTokens)),
        plan.Reserve((long)lanes * maxRows * hidden * sizeof(float)),
        plan.Reserve((long)lanes * RingBytes(maxTokens)),
        plan.ReserveFlags(lanes), plan.ReserveFlags(lanes), plan.ReserveFlags(lanes), plan.ReserveFlags(lanes));

    internal static long RingBytes(int tokens) => sizeof(int) + ((long)tokens * Unsafe.SizeOf<SlotToken>());

    internal static long HeadBytes(int slots) => Unsafe.SizeOf<StageHead>() + ((long)slots * sizeof(int));

    internal Region HeadOf(int lane, int slots) => Heads.Slice(lane * HeadBytes(MaxTokens), HeadBytes(slots));

    internal Region RowsOf(int lane, int rows) =>
        Rows.Slice((long)lane * MaxRows * Hidden * sizeof(float), (long)rows * Hidden * sizeof(float));

    internal Region TokensOf(int lane, int tokens) => Tokens.Slice(lane * RingBytes(MaxTokens), RingBytes(tokens));
}

/// <summary>What travels ahead of a step's rows from stage to stage.</summary>
/// <param name="Step">The step.</param>
/// <param name="Rows">How many rows follow.</param>
/// <param name="Slots">How many slots are named: one for each row of a leased step, none in a planned one, whose batch names them.</param>
/// <param name="Verdict">What stage 0 found in a leased step.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct StageHead(long Step, int Rows, int Slots, LeaseVerdict Verdict);

/// <summary>
/// Hidden rows from stage to stage and sampled tokens back to stage 0, on the fabric. Used by the executor thread only.
/// With <paramref name="rendezvous"/> a send of rows first waits until the peer has posted its receive, as some transports do by nature;
/// the few bytes of the ring are always sent eagerly.
/// </summary>
public sealed class StageLink(IFabric fabric, StageLinkPlan plan, bool rendezvous = false)
{
    private readonly RankPlace _place = fabric.World.Place(fabric.Self);
    private readonly int _stages = fabric.World.Layout.Stages;
    private readonly long[] _received = new long[plan.Lanes];

    /// <summary>Whether a send of rows waits for its receive.</summary>
    public bool IsRendezvous => rendezvous;

    private RankId At(int stage) => fabric.World.RankAt(stage, _place.Replica, _place.Tensor);

    /// <summary>
    /// Sends rows ([rows, H]) of a step to the next stage, of a leased one with the slot of each row and stage 0's verdict.
    /// </summary>
    public void Send(StepId step, int lane, ReadOnlySpan<float> rows, ReadOnlySpan<int> slots = default, LeaseVerdict verdict = default)
    {
        RankId next = At(_place.Stage + 1);
        if (rendezvous) fabric.Wait(next, plan.Posted[lane], (ulong)step.Value);
        var head = new StageHead(step.Value, rows.Length / plan.Hidden, slots.Length, verdict);
        Region region = plan.HeadOf(lane, slots.Length);
        fabric.Put(next, region.Slice(0, Unsafe.SizeOf<StageHead>()), MemoryMarshal.AsBytes(new ReadOnlySpan<StageHead>(in head)));
        if (!slots.IsEmpty)
            fabric.Put(next, region.Slice(Unsafe.SizeOf<StageHead>(), slots.Length * sizeof(int)), MemoryMarshal.AsBytes(slots));
        if (!rows.IsEmpty) fabric.Put(next, plan.RowsOf(lane, rows.Length / plan.Hidden), MemoryMarshal.AsBytes(rows));
        fabric.Notify(next, plan.Sent[lane], (ulong)step.Value);
    }

    /// <summary>
    /// Tells the next stage that a step's rows are nearly made: if it sleeps it wakes up meanwhile, which takes as long as many a hop.
    /// </summary>
    public void Announce(StepId step, int lane) => fabric.Notify(At(_place.Stage + 1), plan.Soon[lane], (ulong)step.Value);

    /// <summary>Waits until the previous stage's rows of a step are here; once is enough, twice is fine.</summary>
    public void Await(StepId step, int lane)
    {
        if (_received[lane] == step.Value) return;
        RankId previous = At(_place.Stage - 1);
        if (rendezvous) fabric.Notify(previous, plan.Posted[lane], (ulong)step.Value);
        fabric.Wait(previous, plan.Sent[lane], (ulong)step.Value);
        _received[lane] = step.Value;
    }

    /// <summary>
    /// What came ahead of the rows that <see cref="Await"/> waited for. Checked: a rank that runs another step, or brings another number of
    /// rows than <paramref name="rows"/> (-1: any), ends the epoch with both numbers named.
    /// </summary>
    public StageHead Head(StepId step, int lane, int rows)
    {
        StageHead head = MemoryMarshal.Read<StageHead>(fabric.Local(plan.HeadOf(lane, 0)));
        if (head.Step != step.Value) throw Apart(step, $"sent the rows of step {head.Step} where this rank is at {step}");
        if ((uint)head.Rows > (uint)plan.MaxRows || (uint)head.Slots > (uint)plan.MaxTokens || (rows >= 0 && head.Rows != rows))
        {
            throw Apart(step, $"sent {head.Rows} rows of {head.Slots} slots in {step} where this rank has "
                + (rows >= 0 ? $"{rows} rows" : $"room for {plan.MaxRows} rows of {plan.MaxTokens} slots"));
        }
        return head;
    }

    /// <summary>The slots of a leased step's rows, in this rank's window.</summary>
    public ReadOnlySpan<int> Slots(int lane, int slots) =>
        MemoryMarshal.Cast<byte, int>(fabric.Local(plan.HeadOf(lane, slots))[Unsafe.SizeOf<StageHead>()..]);

    /// <summary>The rows that <see cref="Await"/> waited for: [rows, H], in this rank's window.</summary>
    public Span<float> Received(int lane, int rows) => MemoryMarshal.Cast<byte, float>(fabric.Local(plan.RowsOf(lane, rows)));

    /// <summary>Sends the tokens of a step back to stage 0, with the ends that the last stage has decided.</summary>
    public void SendRing(StepId step, int lane, ReadOnlySpan<SlotToken> tokens)
    {
        RankId first = At(0);
        int count = tokens.Length;
        Region region = plan.TokensOf(lane, count);
        fabric.Put(first, region.Slice(0, sizeof(int)), MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in count)));
        if (count > 0) fabric.Put(first, region.Slice(sizeof(int), region.Length - sizeof(int)), MemoryMarshal.AsBytes(tokens));
        fabric.Notify(first, plan.Ring[lane], (ulong)step.Value);
    }

    /// <summary>Waits for the tokens of a lane's earlier step; valid until the lane's next step is sent.</summary>
    public ReadOnlySpan<SlotToken> AwaitRing(StepId step, int lane)
    {
        fabric.Wait(At(_stages - 1), plan.Ring[lane], (ulong)step.Value);
        int tokens = MemoryMarshal.Read<int>(fabric.Local(plan.TokensOf(lane, 0)));
        if ((uint)tokens > (uint)plan.MaxTokens)
        {
            throw new FabricException(fabric.Self, At(_stages - 1), new StepPoint(default, step, default, StepPhase.Ring),
                $"sent {tokens} tokens on the ring, more than the {plan.MaxTokens} slots there are");
        }
        return MemoryMarshal.Cast<byte, SlotToken>(fabric.Local(plan.TokensOf(lane, tokens))[sizeof(int)..]);
    }

    private FabricException Apart(StepId step, string reason)
    {
        fabric.Abort(At(_place.Stage - 1), reason);
        var at = new StepPoint(default, step, default, StepPhase.StageReceive);
        return new FabricException(fabric.Self, At(_place.Stage - 1), at, reason);
    }
}
