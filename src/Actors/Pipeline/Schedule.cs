using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>What a rank does at one place of its program.</summary>
public enum OperationKind
{
    /// <summary>Stage 0 takes a step's tokens from the ring.</summary>
    AwaitRing,

    /// <summary>Takes a step's rows from the previous stage.</summary>
    Receive,

    /// <summary>
    /// Works on a step: attention, routing, together with the other tensor ranks of its replica, if there are any. One stands for the sums
    /// of all layers, which these ranks meet for in the same order.
    /// </summary>
    Compute,

    /// <summary>
    /// Dispatches a step's rows to the experts, together with its whole expert group. One stands for those of all layers: nothing goes from
    /// stage to stage between them.
    /// </summary>
    Dispatch,

    /// <summary>Combines what the experts made of them, together with its whole expert group.</summary>
    Combine,

    /// <summary>Hands a step's rows to the next stage.</summary>
    Send,

    /// <summary>The last stage puts a step's tokens on the ring to stage 0.</summary>
    SendRing,
}

/// <summary>One operation of a rank's program. Each is in a program at most once.</summary>
public readonly record struct Operation(OperationKind Kind, StepId Step)
{
    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        OperationKind.AwaitRing => $"takes the tokens of {Step}",
        OperationKind.Receive => $"receives {Step}",
        OperationKind.Compute => $"computes {Step}",
        OperationKind.Dispatch => $"dispatches {Step}",
        OperationKind.Combine => $"combines {Step}",
        OperationKind.Send => $"sends {Step}",
        _ => $"returns the tokens of {Step}",
    };
}

/// <summary>When a send returns.</summary>
public enum TransferMode
{
    /// <summary>At once.</summary>
    Eager,

    /// <summary>When its receive is posted.</summary>
    Rendezvous,
}

/// <summary>What the programs of a pipeline are made from. Steps count from 1; micro-batches take turns.</summary>
/// <param name="Layout">Stages, and the replicas x tensor ranks of each.</param>
/// <param name="MicroBatches">How many are in flight; with a ring, a step starts once the step so many before it is back.</param>
/// <param name="Planned">Steps that the router plans.</param>
/// <param name="Leased">Steps under a lease, after those.</param>
public sealed record PipelineShape(Layout Layout, int MicroBatches, int Planned, int Leased = 0)
{
    /// <summary>How rows go from stage to stage.</summary>
    public TransferMode Rows { get; init; } = TransferMode.Rendezvous;

    /// <summary>How tokens go back to stage 0; null where nothing depends on them.</summary>
    public TransferMode? Ring { get; init; } = TransferMode.Eager;

    /// <summary>All steps.</summary>
    public int Steps => Planned + Leased;

    /// <summary>The step whose tokens this one needs; 0 if none.</summary>
    public StepId After(StepId step) =>
        Ring is null || Layout.Stages == 1 || step.Value <= MicroBatches ? default : new StepId(step.Value - MicroBatches);

    /// <inheritdoc/>
    public override string ToString() => $"{Layout}, {MicroBatches} micro-batches, {Planned} planned and {Leased} leased steps, "
        + $"{(Rows == TransferMode.Eager ? "eager" : "rendezvous")} rows, "
        + Ring switch { null => "no ring", TransferMode.Eager => "eager ring", _ => "rendezvous ring" };
}

/// <summary>The program of every rank, in rank order: what each does, in which order.</summary>
public sealed class Schedule
{
    /// <summary>Makes a schedule. Programs may differ from rank to rank.</summary>
    /// <exception cref="ArgumentException">An operation that its stage cannot do, of a step that there is not, or that is there twice.
    /// </exception>
    public Schedule(PipelineShape shape, IReadOnlyList<IReadOnlyList<Operation>> programs)
    {
        (Shape, Programs, World) = (shape, programs, new World(shape.Layout));
        if (programs.Count != World.Size)
            throw new ArgumentException($"every rank has a program: got {programs.Count} for {World.Size} ranks", nameof(programs));
        var seen = new HashSet<Operation>();
        for (int rank = 0; rank < programs.Count; rank++)
        {
            // The ranks of a stage mostly share one program.
            if (rank > 0 && StageOf(rank) == StageOf(rank - 1) && ReferenceEquals(programs[rank], programs[rank - 1])) continue;
            seen.Clear();
            foreach (Operation op in programs[rank])
            {
                if (!Exists(op, StageOf(rank)) || !seen.Add(op))
                    throw new ArgumentException($"rank {rank} {op}: twice, or not a thing that stage {StageOf(rank)} of {shape} does",
                        nameof(programs));
            }
        }
    }

    /// <summary>What it was made for.</summary>
    public PipelineShape Shape { get; }

    /// <summary>The ranks.</summary>
    public World World { get; }

    /// <summary>[ranks], each in program order.</summary>
    public IReadOnlyList<IReadOnlyList<Operation>> Programs { get; }

    private int StageOf(int rank) => rank / (Shape.Layout.Replicas * Shape.Layout.Tensor);

    private bool Exists(Operation op, int stage) => op.Step.Value >= 1 && op.Step.Value <= Shape.Steps && op.Kind switch
    {
        OperationKind.AwaitRing => Shape.Ring is not null && Shape.Layout.Stages > 1 && stage == 0,
        OperationKind.SendRing => Shape.Ring is not null && Shape.Layout.Stages > 1 && stage == Shape.Layout.Stages - 1,
        OperationKind.Receive => stage > 0,
        OperationKind.Send => stage < Shape.Layout.Stages - 1,
        _ => true,
    };
}
