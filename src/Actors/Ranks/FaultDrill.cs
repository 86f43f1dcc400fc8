using System.Diagnostics;
using Troupe.Actors.Configuration;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Ranks;

/// <summary>Makes a rank fail where troupe.drill says so, by a faulty fabric around its own.</summary>
public static class FaultDrill
{
    /// <summary>The fabric that a rank works with: the one given, unless a drill concerns it.</summary>
    public static IFabric Wrap(IFabric fabric, RankSetup setup)
    {
        DrillOptions drill = setup.Drill;
        if (drill.Fault == DrillFault.None) return fabric;
        // Where a put is to be hit, all ranks must put: a strategy that stores into mapped windows is legal for all or for none.
        if (fabric.Self.Value != drill.Rank)
            return HitsPuts(drill) ? new FaultyFabric(fabric, new FaultPlan { HidesWindows = true }, setup.FabricOptions) : fabric;
        var at = new FaultPoint(HitsPuts(drill) ? FaultOperation.Put : FaultOperation.Any)
        {
            Step = new StepId(drill.Step),
            Layer = drill.Layer is { } layer ? new LayerIndex(layer) : null,
            // Rows between stages have no shadow.
            Phase = drill.Fault == DrillFault.CorruptPut ? StepPhase.Dispatch : null,
        };
        Fault fault = drill.Fault switch
        {
            DrillFault.Die => new Fault.Kill(),
            DrillFault.Hang => new Fault.Hang(),
            DrillFault.Slow => new Fault.Slow(drill.SlowBy),
            DrillFault.CorruptPut => new Fault.Corrupt(),
            _ => new Fault.Drop(),
        };
        return new FaultyFabric(fabric, new FaultPlan(new FaultRule(at, fault)), setup.FabricOptions, setup.Hub is null ? Die : null);
    }

    /// <summary>Whether ranks must not address each other's windows, so that what they send goes through Put.</summary>
    public static bool HitsPuts(DrillOptions drill) => drill.Fault is DrillFault.DropPut or DrillFault.CorruptPut;

    /// <summary>What is going to happen to a rank, for its log; null for nothing.</summary>
    public static string? Announce(DrillOptions drill, int rank) => drill.Fault == DrillFault.None || drill.Rank != rank
        ? null
        : $"fault drill: rank {rank} will {drill.Fault switch
        {
            DrillFault.Die => "die",
            DrillFault.Hang => "hang",
            DrillFault.Slow => $"be slow (by {drill.SlowBy.TotalMilliseconds} ms a call)",
            DrillFault.CorruptPut => "send a row with bits flipped",
            _ => "lose a put",
        }} at step {drill.Step}{(drill.Layer is { } layer ? $", layer {layer}" : "")} (troupe.drill in its configuration)";

    /// <summary>SIGKILL to this process: no handler runs, nothing is tidied up.</summary>
    private static void Die()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }
}
