using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Planning;
using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Actors.Routing;
using Troupe.Actors.Scheduling;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;

namespace Troupe.Actors.Hosting;

/// <summary>A model as a node finds it: its shape, what tells it from others, and how to open its weights.</summary>
/// <param name="Name">Finds it again in another process: the folder's full path.</param>
/// <param name="Config">Its shape.</param>
/// <param name="FingerPrint">Hashes that nodes compare.</param>
/// <param name="TokenizerFolder">Where tokenizer.json is; null for a model of random weights.</param>
/// <param name="Open">Opens the weights.</param>
/// <param name="Mapped">Whether ranks use the weights where the file lies, and so share the memory they are in.</param>
/// <param name="ShardBytes">Bytes of the weights that some shards hold together, what several of them share counted once; reads names and
/// shapes only.</param>
public sealed record ModelSource(string Name, ModelConfig Config, CheckpointFingerprint FingerPrint, string? TokenizerFolder,
    OpenWeights Open, bool Mapped, Func<IEnumerable<ShardSpec>, WeightForm, long> ShardBytes)
{
    /// <summary>A model folder. Reads headers and configuration only.</summary>
    /// <exception cref="ModelException">The folder is not a model that we run; one line says why.</exception>
    public static ModelSource FromFolder(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return new ModelSource(Path.GetFullPath(folder), checkpoint.Config, checkpoint.FingerPrint,
            File.Exists(Path.Combine(folder, "tokenizer.json")) ? folder : null, () =>
        {
            Checkpoint opened = Checkpoint.Open(folder);
            return (opened.Get, opened);
        }, Mapped: true, (specs, form) =>
        {
            using Checkpoint opened = Checkpoint.Open(folder);
            return ShardWeights.Bytes(opened.Get, opened.Config, form, specs);
        });
    }
}

/// <summary>
/// What options and model come to, checked before anything starts: pure but for the memory size it is given.
/// </summary>
public sealed class ClusterPlan
{
    private readonly TroupeOptions _options;
    private readonly ExpertPlacement _placement;
    private readonly Dictionary<(int Stage, int Tensor, int Experts), long> _weights = [];

    private ClusterPlan(TroupeOptions options, ModelSource model)
    {
        (_options, Model, World) = (options, model, new World(options.Layout));
        Split = options.Split ?? ActiveWeights.Split(model.Config, options.Layout.Stages);
        _placement = ExpertPlacement.Blocks(model.Config.Experts, options.Layout.Replicas * options.Layout.Tensor);
    }

    /// <summary>The model.</summary>
    public ModelSource Model { get; }

    /// <summary>The ranks.</summary>
    public World World { get; }

    /// <summary>The layers of each stage: as given, or balanced by active parameters.</summary>
    public LayerSplit Split { get; }

    /// <summary>Checks that the options fit the model, and that the stages' sends and receives cannot wait for each other for
    /// ever.</summary>
    /// <exception cref="ConfigException">They do not, or can; the message has the arithmetic, or the cycle.</exception>
    public static ClusterPlan Make(TroupeOptions options, ModelSource model) =>
        Make(options, model, PipelineSchedule.InUse(options.Layout, Lanes(options)));

    internal static ClusterPlan Make(TroupeOptions options, ModelSource model, IEnumerable<Schedule> schedules)
    {
        // The layout first: schedules are only made, one after the other, if it is sound.
        string? problem = LayoutCheck.Problem(options, model.Config)
            ?? schedules.Select(ScheduleChecker.Problem).FirstOrDefault(found => found is not null);
        return problem is null ? new ClusterPlan(options, model) : throw new ConfigException(problem);
    }

    /// <summary>A plan for its arithmetic: schedules are not checked.</summary>
    /// <exception cref="ConfigException">It is impossible; the message has the arithmetic.</exception>
    internal static ClusterPlan Draft(TroupeOptions options, ModelSource model) =>
        LayoutCheck.Problem(options, model.Config) is { } problem ? throw new ConfigException(problem) : new ClusterPlan(options, model);

    /// <summary>As many micro-batches as stages: none waits, and none of the stages.</summary>
    private static int Lanes(TroupeOptions options) => options.Layout.Stages;

    /// <summary>What this node's host is called; empty to find out.</summary>
    public string Host => _options.Fabric.Host;

    /// <summary>What this node shares with its cluster.</summary>
    public Fingerprint Fingerprint => new(
        Fingerprint.CurrentProtocol, _options.ClusterName, $"{_options.Layout} with layers {Split}", Model.FingerPrint.Config,
            Model.FingerPrint.Tensors,
        $"{_options.Numbers.Math}, {_options.Numbers.Rows}, {_options.Numbers.Kv}, {_options.Weights}".ToLowerInvariant());

    /// <summary>What the coordinator decides with.</summary>
    /// <param name="strategy">The strategy's name, resolved, or auto.</param>
    /// <param name="inProcess">Whether all ranks share this process.</param>
    /// <param name="memoryBytes">Memory that may be used, of which KV caches get at most half.</param>
    public ClusterTerms Terms(string strategy, bool inProcess, long memoryBytes)
    {
        string fabric = inProcess ? Fabrics.NameOf(FabricKind.InProcess) : _options.Fabric.Kind is { } kind ? Fabrics.NameOf(kind) : "auto";
        EpochSizes sizes = Sizes(memoryBytes);
        return new ClusterTerms(Fingerprint, _options.Layout, fabric, strategy, sizes)
        {
            WindowBytes = hosts => WindowBytes(sizes, hosts),
        };
    }

    /// <summary>
    /// Checks that all ranks fit into one host's memory. What is left for their KV caches, of which they take at most half.
    /// </summary>
    /// <param name="available">Bytes that they may take.</param>
    /// <exception cref="ConfigException">They need more; the message has the arithmetic.</exception>
    public long MemoryForKv(long available)
    {
        long left = Math.Max(0, available - (Need(World.Ranks, Sizes(0), []) with { Kv = 0 }).Total);
        return Need(World.Ranks, Sizes(left), []).Problem(available) is { } problem ? throw new ConfigException(problem) : left;
    }

    /// <summary>What some ranks take of the memory of the host that they share.</summary>
    /// <param name="ranks">At least one.</param>
    /// <param name="sizes">Of the epoch.</param>
    /// <param name="hosts">The host of every rank, or none where all share one.</param>
    internal MemoryNeed Need(IReadOnlyCollection<RankId> ranks, EpochSizes sizes, IReadOnlyList<string> hosts) => new(
        ranks.Count, IsMapped ? SharedWeights(ranks) : ranks.Sum(Weights), IsMapped, ranks.Sum(r => KvBlockBytes(r) * sizes.Blocks),
        WindowBytes(sizes, hosts));

    /// <summary>Which part of the model a rank holds.</summary>
    internal ShardSpec Spec(RankId rank) => ShardSpec.Of(
        Model.Config, Split, World.Place(rank).Stage, _placement, rank.Value % _placement.Members, _options.Layout.Tensor);

    /// <summary>Bytes of a rank's weights.</summary>
    internal long Weights(RankId rank)
    {
        ShardSpec spec = Spec(rank);
        // Ranks with as many experts hold as much: asking for each would take long in a large world.
        var key = (World.Place(rank).Stage, World.Place(rank).Tensor, spec.Experts.Count);
        if (!_weights.TryGetValue(key, out long bytes))
            _weights[key] = bytes = Model.ShardBytes([spec], Form);
        return bytes;
    }

    /// <summary>Bytes of a KV block of a rank, all its layers together.</summary>
    internal long KvBlockBytes(RankId rank)
    {
        KvShape shape = Model.Config.Kv(Spec(rank).Split.KvHeads.Count);
        return Split.Counts[World.Place(rank).Stage] * shape.BlockBytes(KvType, _options.Scheduler.BlockSize);
    }

    internal long WindowBytes(EpochSizes sizes, IReadOnlyList<string> hosts) =>
        RankWindow.Bytes(World, Model.Config, Split, sizes, _options.Numbers.Rows, hosts);

    /// <summary>
    /// Bytes of all weights that some ranks of a host map, where they share what is the same. Tensor ranks map parts of the same tensors:
    /// together the whole.
    /// </summary>
    private long SharedWeights(IReadOnlyCollection<RankId> ranks) => Model.ShardBytes(
        ranks.GroupBy(rank => (World.Place(rank).Stage, World.Place(rank).Tensor))
            .Select(group => Spec(group.First()) with { Experts = Experts(group) }), default);

    /// <summary>The experts that some ranks of a stage hold together.</summary>
    private ExpertId[] Experts(IEnumerable<RankId> ranks) =>
        [.. ranks.SelectMany(rank => Spec(rank).Experts).Distinct().OrderBy(expert => expert.Value)];

    private WeightForm Form => _options.FormOf(Model.Config);

    // Matrices that are turned as they are loaded are each rank's own; what little stays as it is stored counts with them.
    private bool IsMapped => Model.Mapped && Form.Keeps(Model.Config);

    private ElementType KvType => _options.Numbers.Kv == NumberType.Bf16 ? ElementType.BF16 : ElementType.F32;

    /// <summary>Sizes that all ranks of the epoch agree on, where all share one host.</summary>
    /// <param name="memoryBytes">Memory that may be used, of which KV caches get at most half.</param>
    public EpochSizes Sizes(long memoryBytes) => SizesOf(AffordableBlocks(World.Ranks, memoryBytes));

    /// <summary>KV blocks that some ranks can each have in half of a memory.</summary>
    internal long AffordableBlocks(IEnumerable<RankId> ranks, long memoryBytes) => memoryBytes / 2 / ranks.Sum(KvBlockBytes);

    /// <summary>Sizes that all ranks of the epoch agree on.</summary>
    /// <param name="affordable">KV blocks that every rank has memory for.</param>
    internal EpochSizes SizesOf(long affordable)
    {
        SchedulerOptions scheduler = _options.Scheduler;
        ModelConfig config = Model.Config;
        int lanes = Lanes(_options);
        int running = scheduler.MaxRunning / lanes * lanes;
        long wanted = scheduler.KvTokens ?? Math.Min((long)running * config.MaxPositions, affordable * scheduler.BlockSize);
        long blocks = Math.Max(1, wanted / scheduler.BlockSize);
        int rows = Math.Max(scheduler.PrefillChunk, running / lanes);
        return new EpochSizes(lanes, rows, running, (int)Math.Min(blocks, int.MaxValue / scheduler.BlockSize), scheduler.BlockSize,
            config.MaxPositions, config.Experts > 0 ? _options.Routing.ShadowEvery : 0,
            _options.Routing.Overlap != OverlapMode.Off && config.Experts > 0 && Shape.Ranks > 1,
            _options.Fabric.Hops == TransferMode.Rendezvous);
    }

    /// <summary>The model's sizes for the router's cost model.</summary>
    public StepShape Shape
    {
        get
        {
            ModelConfig config = Model.Config;
            int perStage = Enumerable.Range(0, Split.Stages).Max(stage => Split.Of(stage).Count(l => config.IsMoeLayer(l.Value)));
            return new StepShape(_options.Layout.Replicas * _options.Layout.Tensor, 0, 0, config.HiddenSize, config.ExpertsPerToken,
                ValueBytes(_options.Numbers.Rows), perStage)
            {
                BytesPerSum = ValueBytes(_options.Numbers.Rows.Partial()),
                Experts = config.Experts,
                Mapping = FaultDrill.HitsPuts(_options.Drill) ? Mapping.Nobody : Mapping.Everybody,
            };
        }
    }

    /// <summary>What a rank of this node needs.</summary>
    public RankSetup Rank(InProcessHub? hub, TimeProvider clock) => new(
        _options.Layout, Model.Config, Model.TokenizerFolder, Model.Open, _options.Threads,
        KvType, _options.Numbers.Rows,
        new FabricOptions(_options.Fabric.WaitDeadline, _options.Fabric.SetupDeadline, [], _options.Fabric.ListenHost) { Clock = clock },
        hub, new RequestLimits(_options.Limits.PromptBytes, _options.Limits.MaxTokens), _options.Scheduler.MaxQueue,
            _options.Scheduler.RequestTimeout, clock)
    {
        WeightForm = Form,
        Split = Split,
        Drill = _options.Drill,
        Trace = _options.Trace,
    };

    /// <summary>Bytes of a value; the scales of int8 and fp8, 3 % of a row, do not count.</summary>
    private static int ValueBytes(RowType type) => type.RowBytes(RowTypes.ScaleGroup) / RowTypes.ScaleGroup;
}
