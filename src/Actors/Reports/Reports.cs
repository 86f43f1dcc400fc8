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
public sealed record SchedulerReport(int Replica, int Queued, int Running, long Finished, int KvBlocksFree, int KvBlocks)
{
    /// <summary>
    /// Microseconds from an offer to the arrival of its plan at the rank beside the scheduler, the median of the last steps whose plan
    /// waited for nothing else; null before any.
    /// </summary>
    public double? MetadataRoundUs { get; init; }
}

/// <summary>The router as <c>status</c> shows it.</summary>
public sealed record RouterReport(long Step, string Lease, IReadOnlyDictionary<string, long> StrategiesUsed,
    IReadOnlyList<ExplainReport> Recent)
{
    /// <summary>Strategies that are not used any more in this epoch, each with why.</summary>
    public IReadOnlyDictionary<string, string> OutOfUse { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What its cost model took from the ranks' measurements of their links, for people; null where nobody measured.</summary>
    public string? Links { get; init; }
}

/// <summary>The answer of <c>status</c>.</summary>
public sealed record StatusReport(
    bool Ready, string? WaitingFor, double WaitingSeconds, long Epoch, string Lease, long Step, int Queue, int Running, string Model,
        string Layout,
    string Fabric, string Provider, IReadOnlyDictionary<string, long> StrategiesUsed, IReadOnlyList<RankReport> Ranks,
    IReadOnlyList<SchedulerReport> Schedulers, IReadOnlyList<ExplainReport> Recent)
{
    /// <summary>Strategies that are not used any more in this epoch, each with why.</summary>
    public IReadOnlyDictionary<string, string> OutOfUse { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What the ranks measured of their links at the start, for people; null where nobody had to.</summary>
    public string? Links { get; init; }
}

/// <summary>One line of <c>members</c>.</summary>
public sealed record MemberReport(
    string Address, IReadOnlyList<string> Roles, string Status, bool Reachable, int? Pid, int? Rank, string Provider);

/// <summary>The answer of <c>explain</c>.</summary>
public sealed record ExplainReport(
    long Step, int Lane, string Kind, IReadOnlyList<int> Rows, string Strategy, string Reason,
    IReadOnlyDictionary<string, double> PredictedUs, double? MeasuredUs, string Lease)
{
    /// <summary>Whether the step tried a strategy that was not the pick, to learn.</summary>
    public bool Explored { get; init; }

    /// <summary>Whether rows went to their experts in two halves, so that one travelled while the other was computed.</summary>
    public bool InHalves { get; init; }

    /// <summary>The strategies that could not be used, each with why.</summary>
    public IReadOnlyDictionary<string, string> Illegal { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What the steps that are kept add up to; only in the answer about no step in particular.</summary>
    public RoutingSummary? Summary { get; init; }
}

/// <summary>What the router's last steps add up to.</summary>
/// <param name="Steps">Steps whose decision is kept.</param>
/// <param name="Strategies">By strategy, the most used first.</param>
/// <param name="Regret">What better picks would have saved; null until alternatives were measured.</param>
public sealed record RoutingSummary(int Steps, IReadOnlyList<StrategySummary> Strategies, RegretReport? Regret);

/// <summary>A strategy's steps among those that are kept.</summary>
/// <param name="Strategy">Its name.</param>
/// <param name="Steps">Steps that used it.</param>
/// <param name="Explored">Of these, steps that tried it to learn.</param>
/// <param name="MeanPredictedUs">Over the steps that were measured; null if none was.</param>
/// <param name="MeanMeasuredUs">Over the same.</param>
public sealed record StrategySummary(string Strategy, int Steps, int Explored, double? MeanPredictedUs, double? MeanMeasuredUs);

/// <summary>
/// Picks against the best alternative that was measured on steps of like shape (same kind, within a factor of two in rows, alike in
/// balance), all by the median of their shape.
/// </summary>
/// <param name="Shapes">Shapes in which several strategies were measured.</param>
/// <param name="Steps">Steps of these shapes, those that explored left out.</param>
/// <param name="ChosenUs">Mean microseconds of what was picked.</param>
/// <param name="BestUs">Mean microseconds of the best that was measured.</param>
/// <param name="Ratio">The first by the second: 1 is no regret.</param>
public sealed record RegretReport(int Shapes, int Steps, double ChosenUs, double BestUs, double Ratio);

/// <summary>Routing choices counted by layer and expert: what one rank saw of its own rows.</summary>
public sealed record ExpertLoadReport(int FirstLayer, IReadOnlyList<IReadOnlyList<long>> Counts);

/// <summary>How a rank's clock lies to the control node's, by pings. Both are bounds: no message arrives before it was sent.</summary>
/// <param name="TicksPerSecond">Of the rank's clock.</param>
/// <param name="ThereUs">The rank's clock at a ping's arrival less the control node's when it was sent, the least of all.</param>
/// <param name="BackUs">The control node's clock at an answer's arrival less the rank's when it was sent, the least of all.</param>
public sealed record ClockReport(int Rank, int Stage, int Replica, int Tensor, long TicksPerSecond, double ThereUs, double BackUs);

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
[JsonSerializable(typeof(List<ClockReport>))]
public sealed partial class ReportJson : JsonSerializerContext;
