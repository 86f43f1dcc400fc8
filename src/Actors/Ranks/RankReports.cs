using System.Text.Json;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>What a rank says of itself: to the state tooling, and when it fails.</summary>
internal static class RankReports
{
    /// <summary>The rank's part of an answer.</summary>
    public static Report Make(ReportRequest request, Assign assign, RankPlace place, RankRuntime? runtime) =>
        new(assign.Epoch, assign.Rank, Json(request, assign, place, runtime));

    private static string Json(ReportRequest request, Assign assign, RankPlace place, RankRuntime? runtime)
    {
        if (request.Subject == Subject.ExpertLoad)
        {
            return runtime is null ? "{}" : JsonSerializer.Serialize(new ExpertLoadReport(runtime.Spec.First.Value,
                [.. Enumerable.Range(runtime.Spec.First.Value, runtime.Spec.Layers)
                    .Select(l => runtime.Shard.Load.Of(new LayerIndex(l)).ToArray())]),
                ReportJson.Default.ExpertLoadReport);
        }
        IFabric? fabric = runtime?.Fabric;
        WireSnapshot wire = WireCounters.Process.Snapshot();
        return JsonSerializer.Serialize(new RankReport(assign.Rank, place.Stage, place.Replica, place.Tensor, Environment.ProcessId, "",
            "", "", "",
            runtime is null ? 0 : 1, runtime?.Shard.WeightBytes ?? 0, fabric?.StatusOf(runtime!.Self).ToString() ?? "",
                runtime?.BytesSent ?? 0,
            wire.SentBytes, Environment.WorkingSet) { StepMessagesSent = wire.StepMessagesSent }, ReportJson.Default.RankReport);
    }

    /// <summary>An error of the executor as the cluster hears of it: who, where, because of whom.</summary>
    public static RankFailed Failure(Exception error, Assign assign, RankRuntime? runtime) => error switch
    {
        FabricException fabric => new RankFailed(assign.Epoch, fabric.At.Step, assign.Rank, fabric.Culprit?.Value ?? -1, fabric.Message),
        NonFiniteException or NonFiniteLogitsException => new RankFailed(assign.Epoch, Where(runtime).Step, assign.Rank, assign.Rank,
            $"rank {assign.Rank} at {Where(runtime)}: {error.Message}"),
        // It names the rank itself.
        FabricSetupException => new RankFailed(assign.Epoch, Where(runtime).Step, assign.Rank, -1, error.Message),
        _ => new RankFailed(assign.Epoch, Where(runtime).Step, assign.Rank, assign.Rank, $"rank {assign.Rank}: {error.Message}"),
    };

    private static StepPoint Where(RankRuntime? runtime) =>
        runtime?.Fabric?.StatusOf(runtime.Self) is { Step.Value: > 0 } at ? at
            : new StepPoint(runtime?.Epoch ?? default, default, default, StepPhase.Load);
}
