using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>Why a fabric of this rank works no more.</summary>
internal sealed record Failure(RankId? Culprit, string Reason)
{
    public const string ClosedByPeer = "closed its fabric connection: its process ended, or it gave up";

    /// <summary>A peer that let a deadline pass, and what it was doing when it was last seen.</summary>
    public static Failure Silent(RankId peer, Deadline deadline, StepPoint last) =>
        new(peer, $"did not answer within {deadline}; " + (last == default ? "it never said where it was" : $"it was last at {last}"));
}
