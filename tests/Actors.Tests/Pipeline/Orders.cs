using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>Orders that one might think of, for pipelines to be tried with.</summary>
internal static class Orders
{
    /// <summary>Every stage sends first.</summary>
    public static TransferOrder SendFirst(int stage, int stages, StepId done, StepId? next, StepId nextAfter) => TransferOrder.SendFirst;

    /// <summary>Parity without ticks: an odd stage receives first, whether or not that exists by then.</summary>
    public static TransferOrder Parity(int stage, int stages, StepId done, StepId? next, StepId nextAfter) =>
        stage % 2 == 0 ? TransferOrder.SendFirst : TransferOrder.ReceiveFirst;

    /// <summary>Parity that only looks at the stage itself: it waits for no step whose token it has yet to send.</summary>
    public static TransferOrder OwnTicks(int stage, int stages, StepId done, StepId? next, StepId nextAfter) =>
        nextAfter >= done ? TransferOrder.SendOnly : Parity(stage, stages, done, next, nextAfter);

    /// <summary>Enough steps to fill the pipeline and to come round every lane several times.</summary>
    public static PipelineShape Shape(int stages, int microBatches, int replicas, TransferMode? ring, int tensor = 1) =>
        new(new Layout(stages, replicas, tensor), microBatches, 3 * (stages + microBatches)) { Ring = ring };
}
