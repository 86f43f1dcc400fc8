using Troupe.Actors.Configuration;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Topology;
using Troupe.Model.Families;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// Everything a rank owns, made and used on its executor thread: device, weights, shard, KV cache, fabric, strategy, links. Made in two
/// halves, because the fabric's other half needs everybody's descriptors.
/// </summary>
public sealed class RankRuntime : IDisposable
{
    private readonly Assign _assign;
    private readonly IDisposable _weights;
    private readonly IFabricEndpoint _endpoint;
    private readonly RankWindow _window;
    private readonly List<IAll2All> _strategies = [], _secondHalf = [];
    private ShadowedAll2All? _shadow;
    private IAll2All? _shadowing; // the fallback over a window of its own
    private bool _mapped;
    private long _calibrationBytes;

    /// <summary>Loads this rank's shard and opens its half of the fabric.</summary>
    public RankRuntime(RankSetup setup, Assign assign, Action<double> progress)
    {
        (Setup, _assign) = (setup, assign);
        World = new World(setup.Layout);
        Self = World.Rank(assign.Rank);
        Place = World.Place(Self);
        Device = new CpuDevice(setup.Threads);
        RankGroup group = World.Stage(Place.Stage);
        Placement = ExpertPlacement.Blocks(setup.Config.Experts, group.Size);
        Spec = ShardSpec.Of(setup.Config, setup.Split, Place.Stage, Placement, group.IndexOf(Self), setup.Layout.Tensor);
        (var source, _weights) = setup.Weights();
        EpochSizes sizes = assign.Sizes;
        Shard = ModelShard.Create(source, setup.Config, Spec, Device,
            new ShardOptions
            {
                KvType = setup.KvType, Weights = setup.WeightForm, KvBlocks = sizes.Blocks, BlockSize = sizes.BlockSize,
                MaxRows = sizes.MaxRows, GroupSize = group.Size,
            },
            p => progress((double)p.Part / p.Parts));
        if (setup.Trace.Steps > 0) Trace = new StepTrace(setup.Trace.Steps, SpansPerStep(setup.Trace.Of, Spec.Layers, group.Size));
        _window = new RankWindow(group, setup.Config, setup.Split, sizes, setup.Rows, assign.Hosts);
        FabricOptions options = setup.FabricOptions with { Secret = assign.Secret.ToArray(), Hosts = assign.Hosts };
        FabricKind kind = Fabrics.Parse(assign.Fabric, FabricKind.SharedMemory);
        _endpoint = Fabrics.Open(kind, new FabricSetup(World, Self, assign.Epoch, _window.Plan, options, assign.Session), setup.Hub);
    }

    /// <summary>What the rank was started with.</summary>
    public RankSetup Setup { get; }

    /// <summary>The ranks of the epoch.</summary>
    public World World { get; }

    /// <summary>This rank.</summary>
    public RankId Self { get; }

    /// <summary>Where it stands.</summary>
    public RankPlace Place { get; }

    /// <summary>What it computes on.</summary>
    public CpuDevice Device { get; }

    /// <summary>Which rank of the stage holds which expert.</summary>
    public ExpertPlacement Placement { get; }

    /// <summary>Which part of the model it holds.</summary>
    public ShardSpec Spec { get; }

    /// <summary>That part.</summary>
    public ModelShard Shard { get; }

    /// <summary>What the others need to connect.</summary>
    public string Descriptor => _endpoint.Descriptor;

    /// <summary>The fabric, once connected. <see cref="IFabric.Abort"/> and the counters may be used from other threads.</summary>
    public IFabric? Fabric { get; private set; }

    /// <summary>What its last steps were made of; null where nothing is kept. Any thread may read it.</summary>
    public StepTrace? Trace { get; }

    /// <summary>Sizes of the epoch.</summary>
    public EpochSizes Sizes => _assign.Sizes;

    /// <summary>The epoch.</summary>
    public Epoch Epoch => _assign.Epoch;

    /// <summary>Payload bytes that this rank sent to others: on the fabric, and through windows that it addresses directly. What
    /// the calibration took is not counted.</summary>
    public long BytesSent
    {
        get
        {
            long bytes = (Fabric?.BytesSent ?? 0) - _calibrationBytes;
            if (!_mapped) return bytes; // strategies Put, which the fabric counts
            foreach (IAll2All strategy in _strategies) bytes += strategy.BytesToOthers;
            foreach (IAll2All strategy in _secondHalf) bytes += strategy.BytesToOthers;
            return bytes + (_shadowing?.BytesToOthers ?? 0);
        }
    }

    /// <summary>Where the ranks of the group tell each other how long their exchanges took; null in a group of one, and without
    /// experts.</summary>
    internal ExchangeTimesPlan? Exchanges => _window.Exchanges;

    /// <summary>The links to the neighbouring stages, once connected.</summary>
    public StageLink Link { get; private set; } = null!;

    /// <summary>The other tensor ranks of the replica, once connected; null where there are none.</summary>
    internal TensorLink? Tensor { get; private set; }

    /// <summary>How a stage 0 without dispatches agrees on the end of a lease, once connected; null on other stages and in a group of
    /// one.</summary>
    public LeaveVote? Vote { get; private set; }

    /// <summary>Connects to all ranks; all do this at the same time.</summary>
    public void Connect(IReadOnlyList<string> descriptors)
    {
        Fabric = FaultDrill.Wrap(_endpoint.Connect(descriptors), Setup);
        if (Trace is not null && Setup.Trace.Of == TraceOf.All) Fabric = new TracedFabric(Fabric, Trace, Setup.Clock);
        Link = new StageLink(Fabric, _window.Links, Sizes.WaitingHops);
        if (Place.Stage == 0 && World.Stage(0).Size > 1) Vote = new LeaveVote(Fabric, World.Stage(0), _window.VoteFlags);
        if (_window.Tensor is { } sums)
        {
            var ranks = new Communicator(Fabric, World.TensorRanks(Place.Stage, Place.Replica), sums);
            Shard.Join(ranks);
            Tensor = new TensorLink(Fabric, ranks, Sizes.MaxRunning);
        }
        if (_window is not { Shape: { } shape, Hosts: { } hosts }) return;
        RankGroup group = World.Stage(Place.Stage);
        GroupTraits traits = _window.All2All is { } window ? Strategies.TraitsOf(Fabric, group, window, hosts)
            : new GroupTraits(1, true, 1);
        _mapped = traits.Mapped;
        foreach (Strategy strategy in Strategies.Available)
        {
            if (Strategies.Problem(strategy, traits) is not null) continue;
            _strategies.Add(Strategies.Make(strategy, Fabric, group, _window.All2All, shape, Epoch, Placement, hosts));
            if (_window.SecondHalf is { } second)
                _secondHalf.Add(Strategies.Make(strategy, Fabric, group, second, second.Shape, Epoch, Placement, hosts));
        }
        if (_window.Shadow is null) return;
        _shadowing = Strategies.Make(Strategies.Fallback, Fabric, group, _window.Shadow, shape, Epoch, Placement, hosts);
        _shadow = new ShadowedAll2All(_shadowing, shape, group.Size);
    }

    /// <summary>
    /// Measures what the links within the group cost, for the router's cost model; all ranks of the group do, right after they connected.
    /// Null where there is nothing to choose. A peer that does not come ends the wait as any other.
    /// </summary>
    public LinkCalibration? Calibrate()
    {
        if (_window.Calibration is not { } plan) return null;
        Fabric!.SetStatus(new StepPoint(Epoch, default, default, StepPhase.Calibrate));
        LinkCalibration measured = new Calibration(Fabric, World.Stage(Place.Stage), plan, Setup.Clock).Measure();
        _calibrationBytes = Fabric.BytesSent;
        return measured;
    }

    /// <summary>The way to the experts by the name of its strategy; the default where this rank has none of that name. Null for a model
    /// without routed experts. In a step to be checked the strategy has its shadow, unless it is the fallback itself.</summary>
    public IAll2All? All2All(string strategy, StepId step)
    {
        IAll2All? way = Named(_strategies, strategy);
        return _shadow is not null && Sizes.Shadows(step) && way != _strategies[0] ? _shadow.Over(way!) : way;
    }

    /// <summary>The same for the second half of a step in halves; null where the epoch has none, on all ranks of it.</summary>
    public IAll2All? SecondHalf(string strategy) => Named(_secondHalf, strategy);

    /// <summary>
    /// About how many spans a decode step has: of each layer its activities, of its dispatch and combine a notification and a wait for each
    /// peer, and whatever is around the layers; or of each layer only its experts and what is before them.
    /// </summary>
    private static int SpansPerStep(TraceOf of, int layers, int members) =>
        of == TraceOf.Experts ? (2 * layers) + 4 : (layers * (10 + (4 * (members - 1)))) + 24;

    private static IAll2All? Named(List<IAll2All> strategies, string name)
    {
        foreach (IAll2All made in strategies)
            if (made.Name == name) return made;
        return strategies.Count > 0 ? strategies[0] : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IAll2All strategy in _strategies) strategy.Dispose();
        _shadow?.Dispose();
        _shadowing?.Dispose();
        foreach (IAll2All strategy in _secondHalf) strategy.Dispose();
        Fabric?.Dispose();
        _endpoint.Dispose();
        Shard.Dispose();
        _weights.Dispose();
        Device.Dispose();
    }
}
