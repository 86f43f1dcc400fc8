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

/// <summary>
/// The order of sends and receives between stages, pure. In a tick a stage hands on the step it has computed and takes in the next one.
/// Where a send returns only once the peer has posted its receive, a ring of stages that all send first never ends; so even stages send
/// first and odd stages receive first. That alone still starves the ring: an odd stage must not wait for a step whose token it has yet to
/// send. So a tick holds only transfers whose data exists by then: the next step is received first only if it does not depend on this one.
/// </summary>
public static class PipelineSchedule
{
    /// <summary>The first step that the router plans; those before it are every rank's self-check.</summary>
    public static readonly StepId FirstStep = new(3);

    /// <summary>
    /// The order for a stage that has computed <paramref name="done"/> and knows of <paramref name="next"/>, if any, whose lane's previous
    /// step is <paramref name="nextAfter"/>. Steps are planned in order, so a step earlier than <paramref name="done"/> has left this stage
    /// already.
    /// </summary>
    public static TransferOrder Order(int stage, StepId done, StepId? next, StepId nextAfter) =>
        next is null || nextAfter >= done ? TransferOrder.SendOnly
        : stage % 2 == 0 ? TransferOrder.SendFirst
        : TransferOrder.ReceiveFirst;
}
