using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>A wait on the fabric that ended without what it waited for: it names who is to blame, where this rank was, and why.</summary>
public sealed class FabricException : Exception
{
    /// <summary>Says which rank ended its wait, at which point, because of whom and why.</summary>
    public FabricException(RankId self, RankId? culprit, StepPoint at, string reason)
        : base($"{self} at {at}: {(culprit is { } rank ? $"{rank} " : "")}{reason}")
        => (Self, Culprit, At, Reason) = (self, culprit, at, reason);

    /// <summary>The rank that waited.</summary>
    public RankId Self { get; }

    /// <summary>The rank that is to blame, where one is known.</summary>
    public RankId? Culprit { get; }

    /// <summary>Where the waiting rank was.</summary>
    public StepPoint At { get; }

    /// <summary>What the culprit did, as the end of a sentence that starts with its name: <c>died (exit of process 812)</c>.</summary>
    public string Reason { get; }
}
