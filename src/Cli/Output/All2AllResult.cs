using System.Text.Json.Serialization;

namespace Troupe.Cli.Output;

/// <summary>One strategy at one shape: medians over rounds. Field names are a contract with scripts: more may come, these stay.</summary>
/// <param name="Strategy">Its name.</param>
/// <param name="Fabric">How ranks reach each other.</param>
/// <param name="Ranks">Ranks in the group.</param>
/// <param name="Hosts">Hosts that they are spread over.</param>
/// <param name="Tokens">Rows of each rank.</param>
/// <param name="OneSided">Whether only the first rank has rows.</param>
/// <param name="Hidden">Values in a row.</param>
/// <param name="Experts">Experts in the layer.</param>
/// <param name="Topk">Experts per token.</param>
/// <param name="Routing">The experts' popularity: uniform, zipf1, zipf2.</param>
/// <param name="RowType">How rows travel.</param>
/// <param name="DispatchUs">Until all rows are readable.</param>
/// <param name="CombineUs">Until the output is added up.</param>
/// <param name="TotalUs">Dispatch, identity expert and combine as one.</param>
/// <param name="BytesToOthers">Payload bytes to other ranks per rank, dispatch and combine together; mean over ranks.</param>
/// <param name="AllocatedBytesPerStep">Managed bytes per step, the largest of all ranks and rounds.</param>
/// <param name="Iterations">Of the total, all rounds together.</param>
/// <param name="Checked">Whether first and last iterations were compared with the generator: a check that fails ends the bench.</param>
/// <param name="Cheapest">Whether no strategy at this shape has a smaller total p50.</param>
/// <param name="AutoPick">Whether the router would use it: true for exactly one strategy of a shape.</param>
/// <param name="PredictedUs">What the router predicts, having learned from its own turns.</param>
/// <param name="AutoUs">At the router's pick: its own turns, each step as it routed it, those that tried another strategy included.</param>
/// <param name="PerRound">The figures of each round, in order: rounds are interleaved, so ratios are to be taken per round.</param>
internal sealed record All2AllFigures(
    string Strategy, string Fabric, int Ranks, int Hosts, int Tokens, bool OneSided, int Hidden, int Experts, int Topk, string Routing,
    string RowType, SpreadUs DispatchUs, SpreadUs CombineUs, SpreadUs TotalUs, double BytesToOthers, double AllocatedBytesPerStep,
    int Iterations, bool Checked, bool Cheapest, bool AutoPick, double PredictedUs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SpreadUs? AutoUs, IReadOnlyList<All2AllRound> PerRound)
{
    /// <summary>What is the same for all strategies of a shape but its tokens, for people.</summary>
    [JsonIgnore]
    public string World => $"{Ranks} ranks{(Hosts > 1 ? $" on {Hosts} hosts" : "")}, {Fabric}, {RowType} rows, {Routing} routing"
        + $"{(OneSided ? ", one-sided" : "")}, H={Hidden} E={Experts} K={Topk}";
}

/// <summary>Times over iterations; each iteration's is the largest of all ranks.</summary>
internal sealed record SpreadUs(double Min, double P50, double P99);

/// <summary>A round's medians, in µs, and how often its loops ran.</summary>
internal sealed record All2AllRound(double DispatchUs, double CombineUs, double TotalUs, int Iterations, int TotalIterations);

/// <summary>Writes a list of them.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<All2AllFigures>))]
internal sealed partial class All2AllJson : JsonSerializerContext;
