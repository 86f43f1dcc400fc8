using System.Text.Json;
using System.Text.Json.Serialization;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>One shape to measure. All per rank: T rows of H values, K of E experts each.</summary>
/// <param name="Tokens">T, of the rank that has most.</param>
/// <param name="Hidden">H.</param>
/// <param name="Experts">E.</param>
/// <param name="TopK">K.</param>
/// <param name="Rows">How rows travel.</param>
/// <param name="Zipf">Exponent of the experts' popularity, 0 for uniform.</param>
/// <param name="OneSided">Whether only the first rank has tokens: one replica has a prompt, the others idle.</param>
internal sealed record All2AllCase(int Tokens, int Hidden, int Experts, int TopK, RowType Rows, int Zipf, bool OneSided = false)
{
    /// <summary>What windows are made for.</summary>
    [JsonIgnore]
    public All2AllShape Shape => new(Tokens, Hidden, TopK, Rows);

    /// <inheritdoc/>
    public override string ToString() => $"T={Tokens} H={Hidden} E={Experts} K={TopK}, {RowTypes.NameOf(Rows)} rows, "
        + $"{Routing} routing{(OneSided ? ", one-sided" : "")}";

    /// <summary>The popularity of experts by its name.</summary>
    [JsonIgnore]
    public string Routing => Zipf == 0 ? "uniform" : $"zipf{Zipf}";

    /// <summary>The tokens of a rank.</summary>
    public int TokensOf(int rank) => OneSided && rank > 0 ? 0 : Tokens;

    /// <summary>The strategies out of <paramref name="asked"/> that can run it, in that order.</summary>
    public IEnumerable<Strategy> Legal(IEnumerable<Strategy> asked) => asked.Where(s => Tokens <= Strategies.Capacity(s, Shape));
}

/// <summary>What a wrong row is made of, for the test that it is found.</summary>
internal enum Corruption
{
    None,

    /// <summary>A bit of a row that arrived at the last rank.</summary>
    Row,

    /// <summary>A bit of a partial sum that the last rank made.</summary>
    Sum,
}

/// <summary>What all ranks of a world measure: every legal (strategy, case) once a round.</summary>
/// <param name="Ranks">Ranks in the world (R).</param>
/// <param name="Fabric">How they reach each other.</param>
/// <param name="Cases">The shapes.</param>
/// <param name="Strategies">Those to measure where a case allows it; all legal in this group.</param>
/// <param name="Seed">Of routing and payload.</param>
/// <param name="Rounds">How often all is measured.</param>
/// <param name="BudgetMs">A loop ends after this time.</param>
/// <param name="Iterations">A loop ends after so many iterations.</param>
/// <param name="DeadlineMs">A rank that waits longer for another one gives up.</param>
/// <param name="Session">Keeps set-ups of one machine apart.</param>
/// <param name="Secret">Of the fabrics.</param>
internal sealed record All2AllWork(int Ranks, FabricKind Fabric, IReadOnlyList<All2AllCase> Cases, IReadOnlyList<Strategy> Strategies,
    ulong Seed, int Rounds, int BudgetMs, int Iterations, int DeadlineMs, string Session, byte[] Secret)
{
    /// <summary>Hosts that the ranks are spread over, in order and as even as they come; one machine plays all of them.</summary>
    public int Hosts { get; init; } = 1;

    /// <summary>The name of each rank's host.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> HostNames => [.. Enumerable.Range(0, Ranks).Select(r => $"host{(long)r * Hosts / Ranks}")];

    /// <summary>What is made wrong on purpose.</summary>
    public Corruption Corruption { get; init; }

    /// <summary>How often something is measured: each strategy, and the router's turn, by shape and round.</summary>
    [JsonIgnore]
    public int Measurements => Rounds * Cases.Sum(c => c.Legal(Strategies).Count() is > 0 and int n ? n + 1 : 0);
}

/// <summary>What one rank measured of a (strategy, case) in a round. Times of all iterations in ns.</summary>
internal sealed record All2AllSamples(int Round, int Case, Strategy Strategy, int[] Dispatch, int[] Combine, int[] Total,
    double BytesToOthers, double AllocatedBytes);

/// <summary>A round's turn of the router at a case, as its first rank saw it.</summary>
/// <param name="Round">Which round.</param>
/// <param name="Case">Which case.</param>
/// <param name="Total">Times of all steps, each that of its slowest rank, in ns; tried strategies and changes included.</param>
/// <param name="Pick">What it would use next.</param>
/// <param name="PredictedUs">What it predicts of each strategy by now.</param>
internal sealed record All2AllTurn(int Round, int Case, int[] Total, Strategy Pick, IReadOnlyDictionary<Strategy, double> PredictedUs);

/// <summary>The first line to a worker.</summary>
internal sealed record WorkerOrder(int Rank, All2AllWork Work);

/// <summary>Every later line to a worker: all descriptors of a set-up.</summary>
internal sealed record WorkerPeers(IReadOnlyList<string> Descriptors);

/// <summary>A line from a worker: one of these is set.</summary>
/// <param name="Descriptor">Its half of a fabric.</param>
/// <param name="Samples">A measurement.</param>
/// <param name="Turn">How the router did.</param>
/// <param name="Error">Why it ends.</param>
/// <param name="Blames">The rank that the error is the doing of, where that is another one.</param>
/// <param name="Done">All is measured.</param>
internal sealed record WorkerLine(string? Descriptor = null, All2AllSamples? Samples = null, All2AllTurn? Turn = null,
    string? Error = null, int? Blames = null, bool Done = false);

/// <summary>The lines between the bench and its workers.</summary>
[JsonSerializable(typeof(WorkerOrder))]
[JsonSerializable(typeof(WorkerPeers))]
[JsonSerializable(typeof(WorkerLine))]
[JsonSerializable(typeof(LinkCalibration))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class All2AllLines : JsonSerializerContext
{
    /// <summary>A line as text.</summary>
    public static string Of(WorkerLine line) => JsonSerializer.Serialize(line, Default.WorkerLine);
}

/// <summary>A check that did not pass: the strategy computes wrong numbers.</summary>
internal sealed class CheckFailedException(string message) : Exception(message);
