using Troupe.Actors.Configuration;
using Troupe.Actors.Scheduling;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;

namespace Troupe.Actors.Ranks;

/// <summary>Opens a model's weights; the rank that opened them disposes what comes along.</summary>
public delegate (WeightSource Weights, IDisposable Owner) OpenWeights();

/// <summary>What a rank needs of its node: the same on all ranks but for the hub and the number of threads.</summary>
/// <param name="Layout">Stages, replicas, tensor ranks.</param>
/// <param name="Config">The model.</param>
/// <param name="ModelFolder">Where the tokenizer is; null where the model has none.</param>
/// <param name="Weights">Opens the weights.</param>
/// <param name="Threads">Threads that compute.</param>
/// <param name="KvType">How keys and values are kept.</param>
/// <param name="Rows">How rows travel to their experts.</param>
/// <param name="FabricOptions">Deadlines and address; the secret comes from the coordinator.</param>
/// <param name="Hub">Where ranks of this process meet; null when there are none.</param>
/// <param name="Limits">Bounds on requests.</param>
/// <param name="MaxQueue">Requests that may wait in a scheduler.</param>
/// <param name="RequestTimeout">The longest a request may take.</param>
/// <param name="Clock">What time is read from.</param>
public sealed record RankSetup(
    Layout Layout, ModelConfig Config, string? ModelFolder, OpenWeights Weights, int Threads, ElementType KvType, RowType Rows,
    FabricOptions FabricOptions, InProcessHub? Hub, RequestLimits Limits, int MaxQueue, TimeSpan RequestTimeout, TimeProvider Clock)
{
    /// <summary>The form that matrices are turned into as they are loaded.</summary>
    public WeightForm WeightForm { get; init; }

    /// <summary>The layers of each stage.</summary>
    public required LayerSplit Split { get; init; }

    /// <summary>The fault that some rank makes on purpose.</summary>
    public required DrillOptions Drill { get; init; }

    /// <summary>What a rank's trace keeps.</summary>
    public required TraceOptions Trace { get; init; }
}
