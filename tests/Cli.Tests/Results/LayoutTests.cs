using System.Globalization;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Cli.Measures;
using Troupe.Cli.Tests.Support;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Results;

/// <summary>
/// Whole clusters of every layout of 1 to 4 stages x 1 to 4 replicas x 1 or 2 tensor ranks that has at most 8 ranks, in this process:
/// <c>verify</c> finds the greedy tokens of the golden and its logits within 1e-3.
/// </summary>
public sealed class LayoutTests(SampleGolden sample) : IClassFixture<SampleGolden>
{
    private const int MostRanks = 8;

    public static TheoryData<int, int, int> Layouts
    {
        get
        {
            var layouts = new TheoryData<int, int, int>();
            for (int stages = 1; stages <= 4; stages++)
                for (int replicas = 1; replicas <= 4; replicas++)
                    for (int tensor = 1; tensor <= 2; tensor++)
                        if (stages * replicas * tensor <= MostRanks) layouts.Add(stages, replicas, tensor);
            return layouts;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Qwen3_moe_agrees_with_its_reference(int stages, int replicas, int tensor)
    {
        string model = Repository.At("tests", "goldens", "models", "qwen3-moe");
        Assert.Equal(5, await VerifyAsync(model, Path.Combine(model, GoldenCase.FileName), stages, replicas, tensor));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task The_sample_agrees_with_its_reference_in_tokens_and_with_one_rank_in_logits(int stages, int replicas, int tensor) =>
        Assert.Equal(6, await VerifyAsync(SampleGolden.Model, sample.File, stages, replicas, tensor));

    /// <returns>How many cases agreed.</returns>
    private static async Task<int> VerifyAsync(string model, string golden, int stages, int replicas, int tensor)
    {
        string[] layout = ["--stages", Text(stages), "--replicas", Text(replicas), "--tensor", Text(tensor)];
        JsonElement got = (await CliRun.Of(["verify", "--model", model, "--golden", golden, "--in-process", "--json", .. layout])).Json();
        Assert.Equal(JsonValueKind.Null, got.GetProperty("first_difference").ValueKind);
        Assert.True(got.GetProperty("greedy_match").GetBoolean());
        Assert.InRange(got.GetProperty("max_abs_logit_diff").GetDouble(), 0, 1e-3);
        Assert.InRange(got.GetProperty("max_abs_logprob_diff").GetDouble(), 0, 1e-3);
        Assert.Equal(["greedy", "logits", "logprobs"], got.GetProperty("compared").EnumerateArray().Select(c => c.GetString()!));
        return got.GetProperty("cases").GetInt32();
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// A golden of the sample with logits: the reference's greedy tokens, beside logits and log-probabilities of one rank of our own, since its
/// reference left none.
/// </summary>
public sealed class SampleGolden : IAsyncLifetime
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(2);
    private readonly TempFolder _folder = new();

    public static string Model => Repository.At("models", "sample");

    /// <summary>Where it lies.</summary>
    public string File { get; private set; } = "";

    public async Task InitializeAsync()
    {
        HeldOut heldOut = HeldOut.Load(Model)!;
        TroupeOptions options = TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", "troupe.numbers.math = exact")))
            with { Layout = new Layout(1, 1, 1) };
        var spec = new LaunchSpec(options, ModelSource.FromFolder(Model), LaunchMode.InProcess, "", _ => { });
        await using ClusterHandle handle = ClusterHandle.Start(spec, new Quiet());
        ClusterClient client = handle.Client();
        using var deadline = new CancellationTokenSource(s_deadline);
        await client.ReadyAsync(null, deadline.Token);
        IReadOnlyList<RequestOutcome> outcomes = await client.RunAsync(
            [.. heldOut.Golden.Select((g, i) => new RequestSpec($"g{i}", null, g.Ids, 1, new SamplingSpec(0, 0, 1, 0, 1, 0), [], true,
                SequenceMode.Probe))], null, deadline.Token).WaitAsync(deadline.Token);
        var cases = outcomes.Zip(heldOut.Golden, (outcome, golden) => new
        {
            prompt = golden.Ids,
            last_logits = outcome.Logits,
            top8_ids = outcome.Top.Ids.Chunk(8),
            top8_logprobs = outcome.Top.LogProbs.Chunk(8),
            greedy = golden.Greedy,
        });
        File = _folder.Write(GoldenCase.FileName, JsonSerializer.Serialize(new { cases }));
    }

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
    }

    private sealed class Quiet : IClusterObserver
    {
        public void Changed(CoordinatorState state)
        {
        }

        public void Warned(string line)
        {
        }

        public void Ended(string? error)
        {
        }
    }
}
