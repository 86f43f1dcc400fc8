namespace Troupe.Actors.Planning;

// What `troupe plan` prints with --json. Field names are a contract with scripts: more may come, these stay.

/// <summary>A layout of a model on hosts: who owns what, what it takes, and whether it fits.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Layout">In words.</param>
/// <param name="Split">Layers by stage; empty where the layout is impossible.</param>
/// <param name="SplitBy">hand, profile or parameters.</param>
/// <param name="Fabric">The fabric that the hosts come to.</param>
/// <param name="Fits">Whether nothing stands in <paramref name="Problems"/>.</param>
/// <param name="Problems">What does not fit, a line each with the arithmetic.</param>
/// <param name="Notes">What fits, but should be known.</param>
/// <param name="KvTokens">Positions of KV cache per replica.</param>
/// <param name="Ranks">In rank order.</param>
/// <param name="Hosts">In the order of their first ranks.</param>
/// <param name="Steps">One decode step and one prefill step.</param>
/// <param name="Pipeline">How long stages wait for each other.</param>
/// <param name="Groups">The ranks that work together.</param>
public sealed record PlanReport(
    string Model, string Layout, int Stages, int Replicas, int Tensor, IReadOnlyList<int> Split, string SplitBy, string Fabric, bool Fits,
    IReadOnlyList<string> Problems, IReadOnlyList<string> Notes, long KvTokens, IReadOnlyList<PlanRank> Ranks,
    IReadOnlyList<PlanHost> Hosts, IReadOnlyList<PlanStep> Steps, PlanPipeline? Pipeline, PlanGroups? Groups);

/// <summary>What a rank owns and takes. Ranges are inclusive, as 0-3, and empty for none.</summary>
/// <param name="ActiveParameters">Of its stage for one token, all its ranks together.</param>
public sealed record PlanRank(
    int Rank, string Host, int Stage, int Replica, int Tensor, string Layers, string Experts, string QueryHeads, string KvHeads,
    long WeightBytes, long KvBytesPerToken, long KvBytes, long WindowBytes, long ActiveParameters);

/// <summary>What the ranks of a host take of its memory. Weights that they map from one file count once.</summary>
/// <param name="Problem">The arithmetic where it is more than there is; null where it fits.</param>
public sealed record PlanHost(
    string Host, IReadOnlyList<int> Ranks, long WeightBytes, long KvBytes, long WindowBytes, long NeedBytes, long AvailableBytes,
    string? Problem);

/// <summary>What crosses links in one step of all replicas through all stages.</summary>
/// <param name="Kind">decode or prefill.</param>
/// <param name="RowsPerReplica">Rows that each replica brings.</param>
/// <param name="Strategy">What the router would pick before it measured anything.</param>
/// <param name="Links">By what goes over which class of link; those with nothing are left out.</param>
public sealed record PlanStep(string Kind, int RowsPerReplica, string Strategy, string Reason, IReadOnlyList<PlanTraffic> Links);

/// <summary>Payload bytes and messages of one kind over one class of link, of all ranks together.</summary>
/// <param name="What">dispatch, combine, stage_hop, ring or tensor.</param>
/// <param name="Link">mapped or tcp.</param>
public sealed record PlanTraffic(string What, string Link, double Bytes, double Messages);

/// <summary>The share of their time in which stages wait for each other, by active parameters as the measure of time.</summary>
/// <param name="MicroBatches">In flight at once.</param>
/// <param name="DecodeBubble">Steady decode with all of them in flight: 0 if stages are equal.</param>
/// <param name="Prefill">A prompt in so many chunks.</param>
public sealed record PlanPipeline(int MicroBatches, double DecodeBubble, IReadOnlyList<PlanBubble> Prefill);

/// <summary>The bubble of a prompt in some chunks.</summary>
/// <param name="IdealBubble">With equal stages: (S - 1) / (chunks + S - 1).</param>
/// <param name="Bubble">With these stages.</param>
public sealed record PlanBubble(int Chunks, double IdealBubble, double Bubble);

/// <summary>The ranks of each group.</summary>
/// <param name="Expert">By stage: those over which its experts are spread.</param>
/// <param name="Tensor">Those that share the heads of a replica in a stage.</param>
/// <param name="Pipeline">By replica and tensor rank: stage after stage.</param>
public sealed record PlanGroups(
    IReadOnlyList<IReadOnlyList<int>> Expert, IReadOnlyList<IReadOnlyList<int>> Tensor, IReadOnlyList<IReadOnlyList<int>> Pipeline);

/// <summary>The layouts of some ranks, best first, those that do not fit last.</summary>
/// <param name="Requests">Requests that decode at once in the comparison: one for each rank.</param>
/// <param name="ReadBytesPerSecond">Weights that a rank is taken to read.</param>
public sealed record SuggestReport(
    string Model, int Ranks, int Requests, double ReadBytesPerSecond, IReadOnlyList<PlanSuggestion> Layouts);

/// <summary>A layout as a suggestion. Microseconds are predicted.</summary>
/// <param name="Why">Why it stands where it does: its largest parts, or what does not fit.</param>
/// <param name="RoundUs">Until each of the requests has one more token.</param>
/// <param name="StepUs">One micro-batch through all stages.</param>
/// <param name="WeightsUs">Of the step: reading active weights.</param>
/// <param name="ExchangeUs">Of the step: dispatch and combine.</param>
/// <param name="HopUs">Of the step: from stage to stage, and the ring.</param>
/// <param name="TensorUs">Of the step: sums and gathers of tensor ranks.</param>
/// <param name="Bubble">The share of a round that stages wait.</param>
/// <param name="MostRankBytes">Memory of the largest rank: weights, KV and window.</param>
public sealed record PlanSuggestion(
    int Stages, int Replicas, int Tensor, IReadOnlyList<int> Split, bool Fits, string Why, double RoundUs, double StepUs, double WeightsUs,
    double ExchangeUs, double HopUs, double TensorUs, double Bubble, double LinkBytes, double Messages, long KvTokens, long MostRankBytes);
