using Troupe.Actors.Pipeline;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;

namespace Troupe.Actors.Configuration;

/// <summary>Everything of ours that a configuration sets, read and validated once. hocon/reference.conf explains each key.</summary>
/// <param name="ClusterName">The cluster's name; a node of another name is refused.</param>
/// <param name="Model">The model's folder as written; relative to the working folder.</param>
/// <param name="Layout">Stages, replicas, tensor ranks.</param>
/// <param name="Rank">The rank this node insists on; null where the coordinator may choose.</param>
/// <param name="Threads">Computing threads per rank.</param>
public sealed record TroupeOptions(
    string ClusterName, string Model, Layout Layout, int? Rank, int Threads, WeightStorage Weights, NumberOptions Numbers,
    FabricSettings Fabric, RoutingOptions Routing, SchedulerOptions Scheduler, LimitOptions Limits, ControlOptions Control,
    DrillOptions Drill, TraceOptions Trace)
{
    /// <summary>How weights are kept, as it is written.</summary>
    public string WeightsName => OptionText.WordOf(Weights);

    /// <summary>The layers of each stage as given by hand; null to balance them.</summary>
    public LayerSplit? Split { get; init; }

    /// <summary>Reads and validates.</summary>
    /// <exception cref="ConfigException">A value of the wrong type or out of range; names text, line, key and value.</exception>
    public static TroupeOptions Read(ConfigLayers layers) => OptionText.Read(layers);

    /// <summary>The defaults of hocon/reference.conf.</summary>
    public static TroupeOptions Default { get; } = Read(new ConfigLayers());

    /// <summary>
    /// All of it as HOCON, which <see cref="Read"/> reads back to an equal value; a parent process hands it to its children.
    /// </summary>
    public string ToHocon() => OptionText.Write(this);
}

/// <summary>How weights are kept in memory.</summary>
public enum WeightStorage
{
    AsStored,
    Bf16,
    Int8,
    Int4,
}

/// <summary>What <see cref="WeightStorage"/> means.</summary>
public static class WeightStorages
{
    /// <summary>The type that matrices are turned into as they are loaded; null for as they are stored.</summary>
    public static ElementType? Kept(this WeightStorage storage) => storage switch
    {
        WeightStorage.Bf16 => ElementType.BF16,
        WeightStorage.Int8 => ElementType.Int8,
        WeightStorage.Int4 => ElementType.Int4,
        _ => null,
    };

    /// <summary>The form that matrices of a model are kept in, on this machine.</summary>
    public static WeightForm FormOf(this TroupeOptions options, ModelConfig config) =>
        WeightForm.Of(options.Weights.Kept(), options.Numbers.Math == MathMode.Fast, config);
}

/// <summary>How kernels are chosen; see DESIGN section 10.</summary>
public enum MathMode
{
    /// <summary>One fixed order of sums per row.</summary>
    Exact,

    /// <summary>bf16 products by the processor's own instruction where it has one, which rounds what weights are multiplied with.</summary>
    Fast,
}

/// <summary>A floating point type in the cache.</summary>
public enum NumberType
{
    Fp32,
    Bf16,
}

/// <summary>troupe.numbers</summary>
/// <param name="Rows">How rows travel to their experts.</param>
/// <param name="Kv">In the KV cache.</param>
public sealed record NumberOptions(MathMode Math, RowType Rows, NumberType Kv);

/// <summary>troupe.fabric</summary>
/// <param name="Kind">Null for auto.</param>
/// <param name="ListenHost">Address that the tcp fabric listens on.</param>
/// <param name="WaitDeadline">For one wait inside a step.</param>
/// <param name="SetupDeadline">For mapping and connecting.</param>
/// <param name="Host">What the host is called for grouping ranks; empty to find out.</param>
/// <param name="Hops">When a stage that hands rows on may go on.</param>
public sealed record FabricSettings(
    FabricKind? Kind, string ListenHost, TimeSpan WaitDeadline, TimeSpan SetupDeadline, string Host, TransferMode Hops);

/// <summary>Whether a step's rows go to their experts in two halves, so that one travels while the other is computed.</summary>
public enum OverlapMode
{
    /// <summary>Where it was measured to be faster.</summary>
    Auto,

    /// <summary>In every step with enough rows.</summary>
    On,

    /// <summary>Never.</summary>
    Off,
}

/// <summary>troupe.routing</summary>
/// <param name="Strategy">A strategy's name or auto, as written: an unknown one falls back later, with a warning.</param>
/// <param name="History">Steps that explain remembers.</param>
/// <param name="LeaseSteps">Steps that a lease lasts at most; 0 for none.</param>
/// <param name="ShadowEvery">One step in so many is also run by the fallback and compared; 0 for none.</param>
/// <param name="Explore">The share of planned steps that try another strategy, to learn.</param>
/// <param name="Overlap">Which planned steps run in halves.</param>
public sealed record RoutingOptions(string Strategy, int History, int LeaseSteps, int ShadowEvery, double Explore, OverlapMode Overlap)
{
    /// <summary>The largest share that may explore: what is tried is mostly dearer.</summary>
    public const double MostExplored = 0.1;
}

/// <summary>troupe.scheduler</summary>
/// <param name="MaxQueue">Waiting requests.</param>
/// <param name="MaxRunning">Running requests.</param>
/// <param name="PrefillChunk">Tokens of prompts per step.</param>
/// <param name="RequestTimeout">From arrival to the last token.</param>
/// <param name="KvTokens">Positions of KV cache per replica; null for auto.</param>
/// <param name="BlockSize">Positions per block.</param>
public sealed record SchedulerOptions(int MaxQueue, int MaxRunning, int PrefillChunk, TimeSpan RequestTimeout, int? KvTokens,
    int BlockSize);

/// <summary>troupe.limits: bounds on one request.</summary>
public sealed record LimitOptions(int PromptBytes, int MaxTokens, int StopStrings, int StopBytes);

/// <summary>troupe.control</summary>
/// <param name="LifelineHost">Empty for the node's own host.</param>
/// <param name="LifelinePort">0 for any free one.</param>
/// <param name="JoinDeadline">For all ranks to join.</param>
/// <param name="DrainDeadline">For running requests to end.</param>
/// <param name="AbortReport">For survivors to say what they know.</param>
public sealed record ControlOptions(string LifelineHost, int LifelinePort, TimeSpan JoinDeadline, TimeSpan DrainDeadline,
    TimeSpan AbortReport);

/// <summary>What a trace keeps of a step.</summary>
public enum TraceOf
{
    /// <summary>Every activity, and waits and notifications within them.</summary>
    All,

    /// <summary>Only the experts of each layer, and how much they had to do: at next to no cost.</summary>
    Experts,
}

/// <summary>troupe.trace</summary>
/// <param name="Steps">How many steps' spans each rank keeps; 0 for none.</param>
/// <param name="Of">What it keeps of them.</param>
public sealed record TraceOptions(int Steps, TraceOf Of = TraceOf.All)
{
    /// <summary>The most steps that a rank keeps.</summary>
    public const int MostSteps = 1 << 14;
}

/// <summary>What a fault drill makes of a rank.</summary>
public enum DrillFault
{
    None,

    /// <summary>Its process kills itself; where ranks share a process, its fabric ends as if it had.</summary>
    Die,

    /// <summary>It responds no more.</summary>
    Hang,

    /// <summary>Each of its calls to the fabric takes longer.</summary>
    Slow,

    /// <summary>What it puts into a peer's window is lost, and with it all that follows to that peer.</summary>
    DropPut,

    /// <summary>A row that it puts into a peer's window arrives with a few bits flipped.</summary>
    CorruptPut,
}

/// <summary>troupe.drill: one fault on purpose, to see that it ends as it should.</summary>
/// <param name="Rank">Whose.</param>
/// <param name="Step">From this step on.</param>
/// <param name="Layer">At this layer; null for the first call in the step.</param>
/// <param name="SlowBy">What each call of a slow rank costs in addition.</param>
public sealed record DrillOptions(DrillFault Fault, int Rank, long Step, int? Layer, TimeSpan SlowBy);
