using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>The order of a stage's two transfers in a tick.</summary>
public enum TransferOrder
{
    /// <summary>There is nothing to receive in this tick yet.</summary>
    SendOnly,

    /// <summary>Send this step's rows, then receive the next step's.</summary>
    SendFirst,

    /// <summary>Receive the next step's rows, then send this step's.</summary>
    ReceiveFirst,
}

/// <summary>A rule for the order of a stage's transfers; its arguments are those of <see cref="PipelineSchedule.Order"/>.</summary>
public delegate TransferOrder OrderRule(int stage, int stages, StepId done, StepId? next, StepId nextAfter);

/// <summary>
/// The order of sends and receives between stages, pure. In a tick a stage hands on the step it has computed and takes in the next one.
/// Where a send returns only once the peer has posted its receive, a ring of stages that all send first never ends; so even stages send
/// first and odd stages receive first. That alone still starves the ring: an odd stage must not wait for a step whose token it has yet to
/// send, nor for one whose token another odd stage holds back in the same way. So a tick holds only transfers whose data exists by then:
/// the next step is received first only if the step that it depends on has left the last stage.
/// </summary>
public static class PipelineSchedule
{
    /// <summary>The first step that the router plans; those before it are every rank's self-check.</summary>
    public static readonly StepId FirstStep = new(3);

    /// <summary>
    /// The order for a stage that has computed <paramref name="done"/> and knows of <paramref name="next"/>, if any, whose lane's previous
    /// step is <paramref name="nextAfter"/> (0: it depends on none). A step leaves the last of S stages S - 1 ticks after it leaves stage
    /// 0, and at most one step leaves stage 0 in a tick; so what next depends on is out by then if it is S - 1 steps before the one done.
    /// </summary>
    public static TransferOrder Order(int stage, int stages, StepId done, StepId? next, StepId nextAfter) =>
        next is null || (nextAfter.Value > 0 && done.Value - nextAfter.Value < stages - 1) ? TransferOrder.SendOnly
        : stage % 2 == 0 ? TransferOrder.SendFirst
        : TransferOrder.ReceiveFirst;

    /// <summary>The programs of all ranks; those of a stage run the same one.</summary>
    /// <param name="shape">What to make them for.</param>
    /// <param name="rule">The order of transfers, <see cref="Order"/> if null.</param>
    public static Schedule Make(PipelineShape shape, OrderRule? rule = null)
    {
        int members = shape.Layout.Replicas * shape.Layout.Tensor;
        var programs = new IReadOnlyList<Operation>[shape.Layout.Ranks];
        for (int stage = 0; stage < shape.Layout.Stages; stage++)
            Array.Fill(programs, Program(shape, stage, rule), stage * members, members);
        return new Schedule(shape, programs);
    }

    /// <summary>
    /// The schedules that a cluster of this layout may come to run, with rows that are eager and with rows that wait: from one micro-batch
    /// in flight to as many as there are lanes, planned and leased, long enough to fill the pipeline and to come round every lane; from
    /// then on they repeat. Where fewer are in flight than lanes, two members stand for each stage: all run one program. Made as they are
    /// asked for.
    /// </summary>
    public static IEnumerable<Schedule> InUse(Layout layout, int lanes)
    {
        Layout narrow = new(layout.Stages, Math.Min(2, layout.Replicas * layout.Tensor), 1);
        return
            from batches in Enumerable.Range(1, lanes)
            from rows in (TransferMode[])[TransferMode.Eager, TransferMode.Rendezvous]
            let steps = batches + layout.Stages
            select Make(new PipelineShape(batches == lanes ? layout : narrow, batches, steps, steps) { Rows = rows });
    }

    /// <summary>
    /// What the ranks of a stage do, in order, as the step runner does it: tokens or rows in, layers, rows or tokens out. Planned steps
    /// follow the rule; before a leased step nobody receives first. The ring is read when the lane's next step begins; where it waits for
    /// its receive, in the tick in which it is sent.
    /// </summary>
    internal static IReadOnlyList<Operation> Program(PipelineShape shape, int stage, OrderRule? rule = null)
    {
        int stages = shape.Layout.Stages;
        (bool first, bool last) = (stage == 0, stage == stages - 1);
        bool ring = shape.Ring is not null && stages > 1;
        // An eager transfer is over at once: there is nothing to put before it.
        bool waits = (last ? ring ? shape.Ring : TransferMode.Eager : shape.Rows) == TransferMode.Rendezvous;
        var program = new List<Operation>(shape.Steps * 7);
        (long received, long taken) = (0, 0);
        for (var step = new StepId(1); step.Value <= shape.Steps; step = step.Next)
        {
            if (first) Take(shape.After(step).Value);
            else Receive(step);
            program.Add(new Operation(OperationKind.Compute, step));
            program.Add(new Operation(OperationKind.Dispatch, step));
            program.Add(new Operation(OperationKind.Combine, step));
            if (!first && waits && step.Value < shape.Planned
                && (rule ?? Order)(stage, stages, step, step.Next, shape.After(step.Next)) == TransferOrder.ReceiveFirst)
                Receive(step.Next);
            if (!last) program.Add(new Operation(OperationKind.Send, step));
            else if (ring) program.Add(new Operation(OperationKind.SendRing, step));
            if (first && ring && shape.Ring == TransferMode.Rendezvous) Take(step.Value - (stages - 1));
        }
        if (first && ring) Take(shape.Steps);
        return program;

        void Receive(StepId step)
        {
            if (received >= step.Value) return;
            received = step.Value;
            program.Add(new Operation(OperationKind.Receive, step));
        }

        void Take(long until)
        {
            while (taken < until) program.Add(new Operation(OperationKind.AwaitRing, new StepId(++taken)));
        }
    }
}
