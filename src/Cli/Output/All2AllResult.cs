using System.Text.Json.Serialization;

namespace Troupe.Cli.Output;

/// <summary>What bench all2all measured. Field names are a contract with scripts: more may come, these stay.</summary>
internal sealed record All2AllResult(
    int Cores, int VectorBits, int Rounds, int BudgetMs, int MaxIterations, ulong Seed, IReadOnlyList<string> Notes,
    IReadOnlyList<All2AllFigures> Results, IReadOnlyList<All2AllSkipped> Skipped);

/// <summary>One strategy at one shape: medians over rounds.</summary>
/// <param name="Fabric">How ranks reach each other.</param>
/// <param name="Ranks">Ranks in the group.</param>
/// <param name="Hosts">Hosts that they are spread over.</param>
/// <param name="Tokens">Rows of each rank.</param>
/// <param name="Hidden">Values in a row.</param>
/// <param name="Experts">Experts in the layer.</param>
/// <param name="TopK">Experts per token.</param>
/// <param name="Rows">How rows travel.</param>
/// <param name="Zipf">Exponent of the experts' popularity, 0 for uniform.</param>
/// <param name="Strategy">Its name.</param>
/// <param name="DispatchUs">Until all rows are readable.</param>
/// <param name="CombineUs">Until the output is added up.</param>
/// <param name="TotalUs">Dispatch, identity expert and combine as one.</param>
/// <param name="BytesToOthers">Payload bytes to other ranks per rank, dispatch and combine together; mean over ranks.</param>
/// <param name="AllocatedBytes">Managed bytes per step, the largest of all ranks and rounds.</param>
/// <param name="Checks">ok: one that fails ends the bench.</param>
/// <param name="Cheapest">Whether no strategy at this shape has a smaller total p50.</param>
/// <param name="PerRound">The figures of each round, in order: rounds are interleaved, so ratios are to be taken per round.</param>
internal sealed record All2AllFigures(
    string Fabric, int Ranks, int Hosts, int Tokens, int Hidden, int Experts, int TopK, string Rows, int Zipf, string Strategy,
    SpreadUs DispatchUs, SpreadUs CombineUs, SpreadUs TotalUs, double BytesToOthers, double AllocatedBytes, string Checks, bool Cheapest,
    IReadOnlyList<All2AllRound> PerRound);

/// <summary>Times over iterations; each iteration's is the largest of all ranks.</summary>
internal sealed record SpreadUs(double Min, double P50, double P99);

/// <summary>A round's medians, in µs, and how often its loops ran.</summary>
internal sealed record All2AllRound(double DispatchUs, double CombineUs, double TotalUs, int Iterations, int TotalIterations);

/// <summary>What was not measured, and why.</summary>
internal sealed record All2AllSkipped(string Fabric, int Ranks, int Tokens, int Hidden, string Rows, string Strategy, string Reason);

/// <summary>Writes it.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(All2AllResult))]
internal sealed partial class All2AllJson : JsonSerializerContext;
