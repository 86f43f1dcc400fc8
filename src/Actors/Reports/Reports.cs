using System.Text.Json;
using System.Text.Json.Serialization;

namespace Troupe.Actors.Reports;

// What the state tooling prints with --json. Field names are a contract with scripts: more may come, these stay.

/// <summary>A rank as <c>status</c> shows it.</summary>
public sealed record RankReport(
    int Rank, int Stage, int Replica, int Tensor, int Pid, string Address, string Layers, string Experts, string State,
    double LoadFraction, long WeightBytes, string At, long FabricBytesSent, long ActorBytesSent, long ResidentBytes)
{
    /// <summary>Messages that its process has sent to get steps going: offers, batches, plans, leases; no results.</summary>
    public long StepMessagesSent { get; init; }
}

/// <summary>A scheduler as <c>status</c> shows it.</summary>
public sealed record SchedulerReport(int Replica, int Queued, int Running, long Finished, int KvBlocksFree, int KvBlocks);

/// <summary>The router as <c>status</c> shows it.</summary>
public sealed record RouterReport(long Step, string Lease, IReadOnlyDictionary<string, long> StrategiesUsed,
    IReadOnlyList<ExplainReport> Recent);

/// <summary>The answer of <c>status</c>.</summary>
public sealed record StatusReport(
    bool Ready, string? WaitingFor, double WaitingSeconds, long Epoch, string Lease, long Step, int Queue, int Running, string Model,
        string Layout,
    string Fabric, string Provider, IReadOnlyDictionary<string, long> StrategiesUsed, IReadOnlyList<RankReport> Ranks,
    IReadOnlyList<SchedulerReport> Schedulers, IReadOnlyList<ExplainReport> Recent);

/// <summary>One line of <c>members</c>.</summary>
public sealed record MemberReport(
    string Address, IReadOnlyList<string> Roles, string Status, bool Reachable, int? Pid, int? Rank, string Provider);

/// <summary>The answer of <c>explain</c>.</summary>
public sealed record ExplainReport(
    long Step, int Lane, string Kind, IReadOnlyList<int> Rows, string Strategy, string Reason,
    IReadOnlyDictionary<string, double> PredictedUs, double? MeasuredUs, string Lease);

/// <summary>Routing choices counted by layer and expert: what one rank saw of its own rows.</summary>
public sealed record ExpertLoadReport(int FirstLayer, IReadOnlyList<IReadOnlyList<long>> Counts);

/// <summary>Serializers of the reports, generated at build time: lower_snake_case, ASCII-escaped.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StatusReport))]
[JsonSerializable(typeof(RouterReport))]
[JsonSerializable(typeof(SchedulerReport))]
[JsonSerializable(typeof(RankReport))]
[JsonSerializable(typeof(ExplainReport))]
[JsonSerializable(typeof(ExpertLoadReport))]
[JsonSerializable(typeof(List<ExpertLoadReport>))]
[JsonSerializable(typeof(List<MemberReport>))]
public sealed partial class ReportJson : JsonSerializerContext;
