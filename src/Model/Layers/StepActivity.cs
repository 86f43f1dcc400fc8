using Troupe.Devices.Fabric;

namespace Troupe.Model.Layers;

/// <summary>
/// What a span of a trace is about. From <see cref="Other"/> on, activities: a step is always in exactly one of them, so their spans lie
/// end to end and add up to the step. The first five are about the step as a whole, or lie within an activity.
/// </summary>
public enum StepActivity
{
    /// <summary>From the end of one step to the start of this one: no plan, or none that this rank may start.</summary>
    Idle,

    /// <summary>A whole step whose sequences bring one row each.</summary>
    DecodeStep,

    /// <summary>A whole step with rows of a prompt.</summary>
    PrefillStep,

    /// <summary>Within an activity: a wait for a peer's flag.</summary>
    Wait,

    /// <summary>Within an activity: a flag raised at a peer.</summary>
    Notify,

    /// <summary>What no other activity names: rows, slots, bookkeeping.</summary>
    Other,

    /// <summary>Stage 0 takes the tokens of the lane's last step from the ring.</summary>
    RingReceive,

    /// <summary>The embedding of tokens.</summary>
    Embed,

    /// <summary>Rows of the previous stage.</summary>
    StageReceive,

    /// <summary>Attention with its norms.</summary>
    Attention,

    /// <summary>The router's product and choice of experts.</summary>
    Route,

    /// <summary>Rows on their way to their experts.</summary>
    DispatchPost,

    /// <summary>Rows that come here.</summary>
    DispatchReceive,

    /// <summary>The routed experts of this rank.</summary>
    Experts,

    /// <summary>The expert of all rows.</summary>
    SharedExpert,

    /// <summary>A dense feed-forward.</summary>
    FeedForward,

    /// <summary>Partial sums on their way back.</summary>
    CombinePost,

    /// <summary>Partial sums that come back, added up.</summary>
    CombineReceive,

    /// <summary>Sums over the tensor ranks of a replica, of what each made a part of.</summary>
    TensorSum,

    /// <summary>Rows that the other tensor ranks worked on.</summary>
    TensorGather,

    /// <summary>The sum with the layer's input, and the check that it is finite.</summary>
    Residual,

    /// <summary>The vote on a lease's end, where no dispatch carries it.</summary>
    Vote,

    /// <summary>Rows to the next stage.</summary>
    StageSend,

    /// <summary>Logits.</summary>
    Head,

    /// <summary>Tokens, scores or probes from logits.</summary>
    Sample,

    /// <summary>Tokens to stage 0.</summary>
    RingSend,
}

/// <summary>What follows from an activity.</summary>
public static class StepActivities
{
    /// <summary>The phase that status and errors show.</summary>
    public static StepPhase Phase(this StepActivity activity) => activity switch
    {
        StepActivity.RingReceive or StepActivity.RingSend => StepPhase.Ring,
        StepActivity.Embed => StepPhase.Embed,
        StepActivity.StageReceive => StepPhase.StageReceive,
        StepActivity.Attention => StepPhase.Attention,
        StepActivity.Route => StepPhase.Route,
        StepActivity.DispatchPost or StepActivity.DispatchReceive or StepActivity.Vote => StepPhase.Dispatch,
        StepActivity.Experts or StepActivity.SharedExpert or StepActivity.FeedForward or StepActivity.Residual => StepPhase.Experts,
        StepActivity.CombinePost or StepActivity.CombineReceive => StepPhase.Combine,
        StepActivity.TensorSum or StepActivity.TensorGather => StepPhase.Tensor,
        StepActivity.Head => StepPhase.Head,
        StepActivity.Sample => StepPhase.Sample,
        StepActivity.StageSend => StepPhase.StageSend,
        _ => StepPhase.Idle,
    };

    /// <summary>Whether it happens in a layer.</summary>
    public static bool OfLayer(this StepActivity activity) =>
        activity is StepActivity.Attention or StepActivity.Route or StepActivity.Experts or StepActivity.SharedExpert
            or StepActivity.FeedForward or StepActivity.TensorSum or StepActivity.TensorGather or StepActivity.Residual
        || activity.Phase() is StepPhase.Dispatch or StepPhase.Combine && activity != StepActivity.Vote;

    /// <summary>Whether it is a whole step.</summary>
    public static bool IsStep(this StepActivity activity) => activity is StepActivity.DecodeStep or StepActivity.PrefillStep;

    /// <summary>Whether it lies within an activity.</summary>
    public static bool IsWithin(this StepActivity activity) => activity is StepActivity.Wait or StepActivity.Notify;
}
