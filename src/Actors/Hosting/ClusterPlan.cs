using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Actors.Routing;
using Troupe.Actors.Scheduling;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Actors.Hosting;

/// <summary>A model as a node finds it: its shape, what tells it from others, and how to open its weights.</summary>
/// <param name="Name">Finds it again in another process: the folder's full path.</param>
/// <param name="Config">Its shape.</param>
/// <param name="FingerPrint">Hashes that nodes compare.</param>
/// <param name="TokenizerFolder">Where tokenizer.json is; null for a model of random weights.</param>
/// <param name="Open">Opens the weights.</param>
public sealed record ModelSource(string Name, ModelConfig Config, CheckpointFingerprint FingerPrint, string? TokenizerFolder,
    OpenWeights Open)
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

    /// <summary>Checks that the options fit the model.</summary>
    /// <exception cref="ConfigException">They do not; the message has the arithmetic.</exception>
    public static ClusterPlan Make(TroupeOptions options, ModelSource model)
    {
        Layout layout = options.Layout;
        ModelConfig config = model.Config;
        if (layout.Problem() is { } problem) throw new ConfigException(problem);
        if (layout.Stages > config.Layers)
            throw new ConfigException(
                $"{layout.Stages} stages for {config.Layers} layers: each stage needs at least one layer; use --stages {config.Layers} "
                + "or fewer");
        if (layout.Tensor > 1)
            throw new ConfigException(
            $"--tensor {layout.Tensor}: tensor parallel layouts are not built yet; use --tensor 1 and more --replicas or --stages");
        if (options.Weights != WeightStorage.AsStored)
            throw new ConfigException($"--weights {options.Weights.ToString().ToLowerInvariant()}: only as-stored is built yet");
        if (options.Scheduler.MaxRunning < layout.Stages)
            throw new ConfigException(
                $"troupe.scheduler.max-running is {options.Scheduler.MaxRunning}, but {layout.Stages} stages keep as many micro-batches "
                + "in flight; "
                + $"set it to {layout.Stages} or more");
        int rows = Math.Max(options.Scheduler.PrefillChunk, options.Scheduler.MaxRunning / layout.Stages);
        if (rows > All2AllShape.MostTokens)
            throw new ConfigException($"troupe.scheduler: a step may have {All2AllShape.MostTokens} rows, got {rows}: "
                + "use a smaller prefill-chunk or max-running");
        return new ClusterPlan(options, model);
    }

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
        return new ClusterTerms(Fingerprint, _options.Layout, fabric, strategy, Sizes(memoryBytes));
    }

    /// <summary>Sizes that all ranks of the epoch agree on.</summary>
    public EpochSizes Sizes(long memoryBytes)
    {
        SchedulerOptions scheduler = _options.Scheduler;
        ModelConfig config = Model.Config;
        int lanes = _options.Layout.Stages;
        int running = scheduler.MaxRunning / lanes * lanes;
        int valueBytes = _options.Numbers.Kv == NumberType.Bf16 ? 2 : 4;
        int layers = (config.Layers + lanes - 1) / lanes;
        long tokenBytes = 2L * layers * config.KvHeads * config.HeadDim * valueBytes;
        long affordable = memoryBytes / 2 / _options.Layout.Ranks / tokenBytes;
        long wanted = scheduler.KvTokens ?? Math.Min((long)running * config.MaxPositions, affordable);
        long blocks = Math.Max(1, wanted / scheduler.BlockSize);
        int rows = Math.Max(scheduler.PrefillChunk, running / lanes);
        return new EpochSizes(lanes, rows, running, (int)Math.Min(blocks, int.MaxValue / scheduler.BlockSize), scheduler.BlockSize,
            config.MaxPositions, _options.Routing.Overlap != OverlapMode.Off && config.Experts > 0 && Shape.Ranks > 1);
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
                _options.Numbers.Rows == NumberType.Bf16 ? 2 : 4, perStage);
        }
    }

    /// <summary>What a rank of this node needs.</summary>
    public RankSetup Rank(InProcessHub? hub, TimeProvider clock) => new(
        _options.Layout, Model.Config, Model.TokenizerFolder, Model.Open, _options.Threads,
        _options.Numbers.Kv == NumberType.Bf16 ? ElementType.BF16 : ElementType.F32, _options.Numbers.Rows == NumberType.Bf16,
        new FabricOptions(_options.Fabric.WaitDeadline, _options.Fabric.SetupDeadline, [], _options.Fabric.ListenHost) { Clock = clock },
        hub, new RequestLimits(_options.Limits.PromptBytes, _options.Limits.MaxTokens), _options.Scheduler.MaxQueue,
            _options.Scheduler.RequestTimeout, clock)
    {
        Drill = _options.Drill,
    };
}
