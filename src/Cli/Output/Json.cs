using System.Text.Json;
using System.Text.Json.Serialization;
using Troupe.Actors.Planning;
using Troupe.Actors.Reports;
using Troupe.Cli.Measures;

namespace Troupe.Cli.Output;

/// <summary>
/// What the verbs print with --json. Field names are a contract with scripts: more may come, these stay. All of it is ASCII.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RequestResult))]
[JsonSerializable(typeof(List<RequestResult>))]
[JsonSerializable(typeof(DevicesResult))]
[JsonSerializable(typeof(PerplexityResult))]
[JsonSerializable(typeof(VerifyResult))]
[JsonSerializable(typeof(BenchResult))]
[JsonSerializable(typeof(DemoResult))]
[JsonSerializable(typeof(UpResult))]
[JsonSerializable(typeof(CancelResult))]
[JsonSerializable(typeof(PlanReport))]
[JsonSerializable(typeof(SuggestReport))]
[JsonSerializable(typeof(TraceResult))]
[JsonSerializable(typeof(StepBenchResult))]
internal sealed partial class CliJson : JsonSerializerContext;

/// <summary>One request: an element of submit's list, and all of generate's answer. Ids are the generated tokens.</summary>
internal sealed record RequestResult(
    string Id, string Prompt, IReadOnlyList<int> Ids, string Text, string FinishReason, double QueueMs, double PrefillMs, double DecodeMs,
    double TokensPerSecond, bool Resumed, IReadOnlyList<int> PromptIds, int Replica, string? Error);

/// <summary>What this machine offers. Bf16 products: what makes those of --math fast, and why not something faster.</summary>
internal sealed record DevicesResult(
    int Cores, long MemoryBytes, string Architecture, SimdResult Simd, string Bf16Products, AvailabilityResult Onednn,
    IReadOnlyList<AvailabilityResult> Fabrics, IReadOnlyList<AvailabilityResult> Strategies);

/// <summary>Vector units.</summary>
internal sealed record SimdResult(int VectorBits, IReadOnlyList<string> Features);

/// <summary>Something that can be used here, or why not.</summary>
internal sealed record AvailabilityResult(string Name, bool Available, string Detail);

/// <summary>The answer of cancel: whether anything is known of the request is not, since any client's may be named.</summary>
internal sealed record CancelResult(string Id, bool Sent);

/// <summary>What trace wrote. Clock uncertainty: how far times of two ranks can be off against each other, at most.</summary>
internal sealed record TraceResult(string File, int Ranks, int Steps, int Events, int Arrows, double ClockUncertaintyUs);

/// <summary>What up writes once the cluster is ready.</summary>
internal sealed record UpResult(string Address, string Model, string Layout, int Ranks, string Provider);

/// <summary>What demo did. Seconds count from the start of the program's verb.</summary>
internal sealed record DemoResult(
    IReadOnlyList<RequestResult> Outcomes, IReadOnlyList<MemberReport> Members, IReadOnlyList<ExplainReport> Steps,
        IReadOnlyList<WhyResult> Why,
    string Model, string Layout, string Fabric, double ReadySeconds, double FirstTokenSeconds, double TotalSeconds);

/// <summary>Why a strategy was used: a reason, and in how many of the steps that were looked at.</summary>
internal sealed record WhyResult(string Strategy, string Kind, string Reason, int Steps);
