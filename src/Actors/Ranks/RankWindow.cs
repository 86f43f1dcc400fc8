using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// What a rank reserves in the symmetric window: the links between stages, the vote on a lease's end, sums over tensor ranks, dispatch and
/// combine. The ranks make their windows of it, and the control node counts with it before there is any rank.
/// </summary>
public sealed class RankWindow
{
    /// <summary>
    /// Makes all reservations. <paramref name="group"/> is the rank's stage; <paramref name="hosts"/> names the host of every rank of the
    /// world, or none where all share one.
    /// </summary>
    public RankWindow(RankGroup group, ModelConfig config, LayerSplit split, EpochSizes sizes, RowType rows, IReadOnlyList<string> hosts)
    {
        World world = group.World;
        Links = StageLinkPlan.Reserve(Plan, sizes.Lanes, world.Layout.Stages > 1 ? sizes.MaxRows : 0, config.HiddenSize, sizes.MaxRunning);
        VoteFlags = Plan.ReserveFlags(LeaveVote.Flags);
        int tensor = world.Layout.Tensor;
        if (tensor > 1)
        {
            Tensor = CommunicatorPlan.Reserve(Plan,
                TensorLink.Shape(tensor, ModelShard.TensorBytes(config, sizes.MaxRows, tensor), sizes.MaxRunning));
        }
        if (config.Experts == 0) return;
        Shape = new All2AllShape(ShardOptions.MostOwnRows(sizes.MaxRows, tensor), config.HiddenSize, config.ExpertsPerToken, rows);
        Hosts = hosts.Count == world.Size ? new Hosts([.. group.Members.Select(r => hosts[r.Value])]) : Hosts.One(group.Size);
        All2All = All2AllWindow.Reserve(Plan, group.Size, Shape, Hosts);
        if (All2All is null) return;
        if (sizes.ShadowEvery > 0) Shadow = All2AllWindow.Reserve(Plan, group.Size, Shape, Hosts);
        Calibration = CalibrationPlan.Reserve(Plan);
        Exchanges = ExchangeTimesPlan.Reserve(Plan, group.Size, split.Most);
        if (sizes.Halves)
            SecondHalf = All2AllWindow.Reserve(Plan, group.Size, Shape with { MaxTokens = Math.Max(1, Shape.MaxTokens / 2) }, Hosts);
    }

    /// <summary>The plan that holds all of it.</summary>
    public WindowPlan Plan { get; } = new();

    /// <summary>Between the stages.</summary>
    public StageLinkPlan Links { get; }

    /// <summary>For <see cref="LeaveVote"/>.</summary>
    public FlagRange VoteFlags { get; }

    /// <summary>For the tensor ranks of a replica; null where each has but one.</summary>
    public CommunicatorPlan? Tensor { get; }

    /// <summary>The largest dispatch; null for a model without routed experts.</summary>
    public All2AllShape? Shape { get; }

    /// <summary>Which members of the group share a host; null for a model without routed experts.</summary>
    public Hosts? Hosts { get; }

    /// <summary>For dispatch and combine; null where there is nobody to send to.</summary>
    public All2AllWindow? All2All { get; }

    /// <summary>For shadow checks; null where there are none, or nobody to send to.</summary>
    public All2AllWindow? Shadow { get; }

    /// <summary>The same for the second half of a step in halves; null where the epoch has none.</summary>
    public All2AllWindow? SecondHalf { get; }

    /// <summary>For the measurement of links before the first step; null where there is nobody to send to.</summary>
    public CalibrationPlan? Calibration { get; }

    /// <summary>Where the members tell each other how long their exchanges took; null where there is nobody to exchange with.</summary>
    internal ExchangeTimesPlan? Exchanges { get; }

    /// <summary>Bytes of one rank's window.</summary>
    public static long Bytes(World world, ModelConfig config, LayerSplit split, EpochSizes sizes, RowType rows,
        IReadOnlyList<string> hosts) => new RankWindow(world.Stage(0), config, split, sizes, rows, hosts).Plan.WindowBytes(world.Size);
}
