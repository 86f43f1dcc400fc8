using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>What a rank is doing inside a step; names end up in errors, traces and the status word.</summary>
public enum StepPhase
{
    Idle,
    Load,
    StageReceive,
    Embed,
    Attention,
    Route,
    Dispatch,
    Experts,
    Combine,
    Head,
    Sample,
    StageSend,
    Ring,
    Calibrate,

    /// <summary>Sums and rows go between the tensor ranks of a replica.</summary>
    Tensor,
}

/// <summary>A point of a step: where a rank is, or was when something went wrong.</summary>
public readonly record struct StepPoint(Epoch Epoch, StepId Step, LayerIndex Layer, StepPhase Phase)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Epoch}, {Step}, {Layer}, {Phase switch
    {
        StepPhase.StageReceive => "stage receive",
        StepPhase.StageSend => "stage send",
        _ => Phase.ToString().ToLowerInvariant(),
    }}";
}
