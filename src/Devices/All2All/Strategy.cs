namespace Troupe.Devices.All2All;

/// <summary>The ways to do dispatch and combine; the numbers travel in headers.</summary>
public enum Strategy
{
    AllGatherReduceScatter = 1,
    HighThroughput,
    Hierarchical,
    LowLatency,
    PeerMapped,
    Workspace,
    Fused,
}
