using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;
using Troupe.Actors.Pipeline;
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
/// <param name="ShardBytes">Bytes of a shard's weights; reads names and shapes only.</param>
public sealed record ModelSource(string Name, ModelConfig Config, CheckpointFingerprint FingerPrint, string? TokenizerFolder,
    OpenWeights Open, bool Mapped, Func<ShardSpec, long> ShardBytes)
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
        }, Mapped: true, spec =>
        {
            using Checkpoint opened = Checkpoint.Open(folder);
            return ShardWeights.Bytes(opened.Get, opened.Config, spec);
        });
    }
}

/// <summary>
/// What options and model come to, checked before anything starts: pure but for the memory size it is given.
/// </summary>
public sealed class ClusterPlan
{
    private readonly TroupeOptions _options;

    private ClusterPlan(TroupeOptions options, ModelSource model) => (_options, Model) = (options, model);

    /// <summary>The model.</summary>
    public ModelSource Model { get; }

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

    /// <summary>As many micro-batches as stages: none waits, and none of the stages.</summary>
    private static int Lanes(TroupeOptions options) => options.Layout.Stages;

    /// <summary>What this node's host is called; empty to find out.</summary>
    public string Host => _options.Fabric.Host;

    /// <summary>What this node shares with its cluster.</summary>
    public Fingerprint Fingerprint => new(
        Fingerprint.CurrentProtocol, _options.ClusterName, _options.Layout.ToString(), Model.FingerPrint.Config, Model.FingerPrint.Tensors,
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
        Layout layout = _options.Layout;
        long weights = Model.Mapped ? Model.ShardBytes(ShardSpec.Whole(Model.Config)) : 0;
        ExpertPlacement placement = ExpertPlacement.Blocks(Model.Config.Experts, layout.Replicas * layout.Tensor);
        for (int stage = 0; !Model.Mapped && stage < layout.Stages; stage++)
            for (int member = 0; member < placement.Members; member++)
                weights += Model.ShardBytes(ShardSpec.Of(Model.Config, stage, layout.Stages, placement, member, layout.Tensor));
        var fixedPart = new MemoryNeed(layout.Ranks, weights, Model.Mapped, 0, WindowBytes(Sizes(0), []));
        long left = Math.Max(0, available - fixedPart.Total);
        MemoryNeed need = fixedPart with { Kv = KvBytes(Sizes(left)) };
        return need.Problem(available) is { } problem ? throw new ConfigException(problem) : left;
    }

    private long WindowBytes(EpochSizes sizes, IReadOnlyList<string> hosts) =>
        RankWindow.Bytes(new World(_options.Layout), Model.Config, sizes, _options.Numbers.Rows, hosts);

    /// <summary>Of the stage with most layers and the tensor rank with most heads.</summary>
    private long KvBytes(EpochSizes sizes)
    {
        (ModelConfig c, ElementType type) = (Model.Config, KvType);
        long block = KvBlocks.KeyBytes(type, sizes.BlockSize, KvHeads, c.HeadDim)
            + KvBlocks.ValueBytes(type, sizes.BlockSize, KvHeads, c.HeadDim);
        return ShardSpec.Of(c, 0, _options.Layout.Stages, ExpertPlacement.Blocks(0, 1), 0).Layers * sizes.Blocks * block;
    }

    private int KvHeads => TensorSplit.MostKvHeads(Model.Config, _options.Layout.Tensor);

    private ElementType KvType => _options.Numbers.Kv == NumberType.Bf16 ? ElementType.BF16 : ElementType.F32;

    /// <summary>Sizes that all ranks of the epoch agree on.</summary>
    public EpochSizes Sizes(long memoryBytes)
    {
        SchedulerOptions scheduler = _options.Scheduler;
        ModelConfig config = Model.Config;
        int lanes = Lanes(_options);
        int running = scheduler.MaxRunning / lanes * lanes;
        int valueBytes = _options.Numbers.Kv == NumberType.Bf16 ? 2 : 4;
        int layers = (config.Layers + lanes - 1) / lanes;
        long tokenBytes = 2L * layers * KvHeads * config.HeadDim * valueBytes;
        long affordable = memoryBytes / 2 / _options.Layout.Ranks / tokenBytes;
        long wanted = scheduler.KvTokens ?? Math.Min((long)running * config.MaxPositions, affordable);
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
            int moe = Enumerable.Range(0, config.Layers).Count(config.IsMoeLayer);
            int perStage = (moe + _options.Layout.Stages - 1) / _options.Layout.Stages;
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
        Drill = _options.Drill,
        TraceSteps = _options.Trace.Steps,
    };

    /// <summary>Bytes of a value; the scales of int8 and fp8, 3 % of a row, do not count.</summary>
    private static int ValueBytes(RowType type) => type.RowBytes(RowTypes.ScaleGroup) / RowTypes.ScaleGroup;
}
