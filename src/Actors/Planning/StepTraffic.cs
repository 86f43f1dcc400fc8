using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Actors.Planning;

/// <summary>
/// What one step of a layout sends over links, pure: the all2all by <see cref="CostModel.WorkOf"/>, which the router predicts with, hops
/// and ring as <see cref="StageLink"/> sends them, tensor ranks by <see cref="TensorTraffic"/>.
/// </summary>
internal sealed class StepTraffic
{
    private readonly ClusterPlan _plan;
    private readonly RankTopology _topology;
    private readonly StepKind _kind;
    private readonly int _rows, _hopMessages;
    private readonly TensorTraffic _tensor;
    private readonly StepShape[] _stages; // as each stage's group sees the step
    private readonly Dictionary<(string What, LinkClass Link), (double Bytes, double Messages)> _sums = [];

    /// <summary>Counts a step to which each replica brings some rows.</summary>
    public StepTraffic(ClusterPlan plan, RankTopology topology, string fabric, TroupeOptions options, StepKind kind, int rows)
    {
        (_plan, _topology, _kind, _rows) = (plan, topology, kind, rows);
        _hopMessages = options.Fabric.Hops == TransferMode.Rendezvous ? 2 : 1; // a receive that is posted says so
        Layout layout = plan.World.Layout;
        _tensor = new TensorTraffic(plan.Model.Config, plan.Split, layout.Tensor, rows, Logits);
        IReadOnlyList<string>[] hosts = [.. Enumerable.Range(0, layout.Stages)
            .Select(stage => (IReadOnlyList<string>)[.. plan.World.Stage(stage).Members.Select(topology.HostOf)])];
        StepShape Shape(params IReadOnlyList<string>[] of) =>
            plan.Shape.On(fabric, of).WithReplicas([.. Enumerable.Repeat(rows, layout.Replicas)]);
        string strategy = options.Routing.Strategy;
        SelectorRules rules = strategy == "auto" ? SelectorRules.Default : SelectorRules.Default with { Pinned = strategy };
        // The first step: later ones know what the last one used.
        Choice = new Selector(CostModel.Guess, rules).Choose(new StepId(1), kind, Shape(hosts)).Choice;
        _stages = [.. hosts.Select((names, stage) => Shape(names) with { MoeLayers = MoeLayers(stage) })];
        for (int stage = 0; stage < layout.Stages; stage++) Exchange(stage);
        foreach (RankId rank in plan.World.Ranks) Others(rank);
    }

    /// <summary>The strategy that the router would pick before it measured anything.</summary>
    public Choice Choice { get; }

    /// <summary>What crosses links, of all ranks together.</summary>
    public IReadOnlyList<PlanTraffic> Links => [.. _sums.Where(s => s.Value.Bytes > 0 || s.Value.Messages > 0)
        .Select(s => new PlanTraffic(s.Key.What, s.Key.Link == LinkClass.Tcp ? "tcp" : "mapped", Math.Round(s.Value.Bytes),
            Math.Round(s.Value.Messages)))];

    /// <summary>Predicted microseconds of all dispatches and combines of a stage.</summary>
    public double ExchangeUs(int stage) => _plan.Model.Config.Experts == 0 ? 0 : CostModel.Guess.Predict(Choice.Use, _stages[stage]);

    /// <summary>Predicted microseconds from a stage to the next one, or from the last one back on the ring: the slowest of its
    /// ranks.</summary>
    public double HopUs(int stage)
    {
        if (_stages.Length == 1) return 0;
        bool last = stage == _stages.Length - 1;
        return _plan.World.Stage(stage).Members.Max(rank =>
            Us(_topology.Between(rank, Next(rank)), last ? RingBytes : HopBytes, last ? 1 : _hopMessages));
    }

    /// <summary>Predicted microseconds of the collectives of a stage's tensor ranks: of the one that sends longest.</summary>
    public double TensorUs(int stage)
    {
        RankGroup group = _plan.World.TensorRanks(stage, 0);
        if (group.Size == 1) return 0;
        return Enumerable.Range(0, group.Size).Max(from => Enumerable.Range(0, group.Size).Where(to => to != from).Sum(to =>
        {
            (double bytes, double messages) = _tensor.Between(stage, from, to);
            return Us(_topology.Between(group[from], group[to]), bytes, messages);
        }));
    }

    private double HopBytes => ((double)_rows * _plan.Model.Config.HiddenSize * sizeof(float))
        + StageLinkPlan.HeadBytes(_kind == StepKind.Decode ? _rows : 0);

    /// <summary>A chunk ends one prompt at most of those that it was cut from.</summary>
    private double RingBytes => StageLinkPlan.RingBytes(Logits);

    private int Logits => _kind == StepKind.Decode ? _rows : 1;

    private int MoeLayers(int stage) => _plan.Split.Of(stage).Count(layer => _plan.Model.Config.IsMoeLayer(layer.Value));

    private RankId Next(RankId rank)
    {
        RankPlace place = _plan.World.Place(rank);
        return _plan.World.RankAt((place.Stage + 1) % _stages.Length, place.Replica, place.Tensor);
    }

    private static double Us(LinkClass link, double bytes, double messages)
    {
        LinkConstants cost = link == LinkClass.Tcp ? LinkTable.Guess.Tcp : LinkTable.Guess.Mapped;
        return (messages * cost.MessageUs) + (bytes * cost.ByteUs);
    }

    private void Exchange(int stage)
    {
        StepShape shape = _stages[stage];
        if (shape.Ranks < 2 || shape.MoeLayers == 0) return;
        for (int member = 0; member < shape.Ranks; member++)
        {
            MemberWork work = CostModel.WorkOf(Choice.Use, shape, member);
            Add("dispatch", work.Dispatch, shape.MoeLayers);
            Add("combine", work.Combine, shape.MoeLayers);
        }
    }

    private void Others(RankId rank)
    {
        RankPlace place = _plan.World.Place(rank);
        if (_stages.Length > 1)
        {
            bool last = place.Stage == _stages.Length - 1;
            Add(last ? "ring" : "stage_hop", _topology.Between(rank, Next(rank)), last ? RingBytes : HopBytes, last ? 1 : _hopMessages);
        }
        foreach (RankId peer in _plan.World.TensorRanks(place.Stage, place.Replica).Members)
        {
            if (peer == rank) continue;
            (double bytes, double messages) = _tensor.Between(place.Stage, place.Tensor, _plan.World.Place(peer).Tensor);
            Add("tensor", _topology.Between(rank, peer), bytes, messages);
        }
    }

    private void Add(string what, PhaseWork work, int layers)
    {
        Add(what, LinkClass.Mapped, layers * Crossing(work.Mapped), layers * (work.Mapped.Messages + work.Mapped.Flags));
        Add(what, LinkClass.Tcp, layers * Crossing(work.Tcp), layers * (work.Tcp.Messages + work.Tcp.Flags));
    }

    /// <summary>What is put; where nothing is, peers' rows or sums are read where they lie, and those bytes cross.</summary>
    private static double Crossing(LinkWork work) => work.Bytes > 0 ? work.Bytes : work.RowBytes;

    private void Add(string what, LinkClass link, double bytes, double messages)
    {
        (double b, double m) = _sums.GetValueOrDefault((what, link));
        _sums[(what, link)] = (b + bytes, m + messages);
    }
}
