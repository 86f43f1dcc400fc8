using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>The regions and flags of the stage-to-stage traffic in the symmetric window. One slot per lane.</summary>
/// <remarks>
/// A slot needs no credits: a lane's next step starts only after its last one has come back around the ring, so the slot has been read by
/// then.
/// </remarks>
public sealed record StageLinkPlan(int Lanes, int MaxRows, int Hidden, int MaxTokens, Region Rows, Region Tokens, FlagRange Sent,
    FlagRange Ring, FlagRange Posted)
{
    /// <summary>Reserves what the links of all stages need; the same on every rank.</summary>
    public static StageLinkPlan Reserve(WindowPlan plan, int lanes, int maxRows, int hidden, int maxTokens) => new(
        lanes, maxRows, hidden, maxTokens,
        plan.Reserve((long)lanes * maxRows * hidden * sizeof(float)),
        plan.Reserve((long)lanes * RingBytes(maxTokens)),
        plan.ReserveFlags(lanes), plan.ReserveFlags(lanes), plan.ReserveFlags(lanes));

    internal static long RingBytes(int maxTokens) => (1 + 2L * maxTokens) * sizeof(int);

    internal Region RowsOf(int lane, int rows) =>
        Rows.Slice((long)lane * MaxRows * Hidden * sizeof(float), (long)rows * Hidden * sizeof(float));

    internal Region TokensOf(int lane, int tokens) => Tokens.Slice(lane * RingBytes(MaxTokens), RingBytes(tokens));
}

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

    private RankId At(int stage) => fabric.World.RankAt(stage, _place.Replica, _place.Tensor);

    /// <summary>Sends rows ([rows, H]) of a step to the next stage.</summary>
    public void Send(StepId step, int lane, ReadOnlySpan<float> rows)
    {
        RankId next = At(_place.Stage + 1);
        if (rendezvous) fabric.Wait(next, plan.Posted[lane], (ulong)step.Value);
        if (!rows.IsEmpty) fabric.Put(next, plan.RowsOf(lane, rows.Length / plan.Hidden), MemoryMarshal.AsBytes(rows));
        fabric.Notify(next, plan.Sent[lane], (ulong)step.Value);
    }

    /// <summary>Waits until the previous stage's rows of a step are here; once is enough, twice is fine.</summary>
    public void Await(StepId step, int lane)
    {
        if (_received[lane] == step.Value) return;
        RankId previous = At(_place.Stage - 1);
        if (rendezvous) fabric.Notify(previous, plan.Posted[lane], (ulong)step.Value);
        fabric.Wait(previous, plan.Sent[lane], (ulong)step.Value);
        _received[lane] = step.Value;
    }

    /// <summary>The rows that <see cref="Await"/> waited for: [rows, H], in this rank's window.</summary>
    public Span<float> Received(int lane, int rows) => MemoryMarshal.Cast<byte, float>(fabric.Local(plan.RowsOf(lane, rows)));

    /// <summary>Sends the tokens of a step back to stage 0: pairs of slot and token.</summary>
    public void SendRing(StepId step, int lane, ReadOnlySpan<int> pairs)
    {
        RankId first = At(0);
        Span<int> head = stackalloc int[1];
        head[0] = pairs.Length / 2;
        Region region = plan.TokensOf(lane, head[0]);
        fabric.Put(first, region.Slice(0, sizeof(int)), MemoryMarshal.AsBytes(head));
        if (!pairs.IsEmpty) fabric.Put(first, region.Slice(sizeof(int), region.Length - sizeof(int)), MemoryMarshal.AsBytes(pairs));
        fabric.Notify(first, plan.Ring[lane], (ulong)step.Value);
    }

    /// <summary>Waits for the tokens of a lane's earlier step: pairs of slot and token, valid until the lane's next step is sent.</summary>
    public ReadOnlySpan<int> AwaitRing(StepId step, int lane)
    {
        fabric.Wait(At(_stages - 1), plan.Ring[lane], (ulong)step.Value);
        int tokens = MemoryMarshal.Read<int>(fabric.Local(plan.TokensOf(lane, 0)));
        if ((uint)tokens > (uint)plan.MaxTokens)
        {
            throw new FabricException(fabric.Self, At(_stages - 1), new StepPoint(default, step, default, StepPhase.Ring),
                $"sent {tokens} tokens on the ring, more than the {plan.MaxTokens} slots there are");
        }
        return MemoryMarshal.Cast<byte, int>(fabric.Local(plan.TokensOf(lane, tokens)))[1..];
    }
}
