using System.Text.Json;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters inside this process whose steps are shadow checked.</summary>
public sealed class ShadowTests
{
    private const int Tokens = 60, LayersOfSample = 6;

    [Theory]
    [InlineData("high_throughput")]
    [InlineData("low_latency")]
    [InlineData("peer_mapped")]
    [InlineData("workspace")]
    [InlineData("fused")]
    public async Task Steps_that_are_checked_give_the_same_tokens_and_find_nothing(string strategy)
    {
        (string[] want, JsonElement plain) = await RunAsync(1, 2, $"troupe.routing.strategy = {strategy}");
        (string[] got, JsonElement status) = await RunAsync(1, 2, $"troupe.routing {{ strategy = {strategy}, shadow-every = 1 }}");

        Assert.Equal(want, got);
        Assert.Empty(status.GetProperty("out_of_use").EnumerateObject());
        Assert.Equal([strategy], status.GetProperty("strategies_used").EnumerateObject().Select(s => s.Name));
        Assert.True(Sent(status) > 1.5 * Sent(plain), $"{Sent(status)} bytes with a shadow, {Sent(plain)} without");

        static long Sent(JsonElement status) =>
            status.GetProperty("ranks").EnumerateArray().Sum(rank => rank.GetProperty("fabric_bytes_sent").GetInt64());
    }

    [Fact]
    public async Task The_fallback_has_no_shadow()
    {
        (string[] want, _) = await RunAsync(1, 2, "troupe.routing.strategy = allgather_reducescatter");
        (string[] got, JsonElement status) = await RunAsync(1, 2,
            "troupe.routing { strategy = allgather_reducescatter, shadow-every = 1 }");

        Assert.Equal(want, got);
        Assert.Empty(status.GetProperty("out_of_use").EnumerateObject());
    }

    [Theory]
    [InlineData("low_latency", 1, 4096, 1)]
    [InlineData("low_latency", 2, 4096, 3)]
    [InlineData("fused", 2, 0, 1)]
    public async Task A_row_that_arrives_wrong_is_named_and_its_strategy_used_no_more(
        string strategy, int stages, int leaseSteps, int every)
    {
        Random random = Seed.For($"{nameof(ShadowTests)} {strategy} {stages} {leaseSteps}");
        int rank = random.Next(2 * stages), perStage = LayersOfSample / stages, layer = (rank / 2 * perStage) + random.Next(perStage);
        int step = every * random.Next(1 + (16 / every), 1 + (32 / every));
        string split = LayerSplit.Even(LayersOfSample, stages).ToText();
        string routing = $"troupe.layout {{ stages = {stages}, replicas = 2, split = \"{split}\" }}\n"
            + $"troupe.routing {{ strategy = {strategy}, lease-steps = {leaseSteps} }}\n";
        (string[] want, _) = await RunAsync(stages, 2, routing);

        (string[] got, JsonElement status) = await RunAsync(stages, 2, $"{routing}troupe.routing.shadow-every = {every}\n"
            + $"troupe.drill {{ fault = corrupt-put, rank = {rank}, step = {step}, layer = {layer} }}");

        Assert.Equal(want, got);
        JsonProperty found = Assert.Single(status.GetProperty("out_of_use").EnumerateObject());
        Assert.Equal(strategy, found.Name);
        Assert.StartsWith($"its shadow check failed in step {step}, layer {layer}, rank {rank}, row ", found.Value.GetString());
        JsonElement last = status.GetProperty("recent")[0];
        Assert.True(last.GetProperty("step").GetInt64() > step);
        Assert.Equal("allgather_reducescatter", last.GetProperty("strategy").GetString());
        Assert.StartsWith("out of use: its shadow check failed", last.GetProperty("illegal").GetProperty(found.Name).GetString());
    }

    /// <summary>Eight requests, so that every rank has rows for every other in each step; their tokens, and the status then.</summary>
    private static async Task<(string[] Ids, JsonElement Status)> RunAsync(int stages, int replicas, string hocon)
    {
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas, hocon);
        IReadOnlyList<RequestSpec> requests =
            [.. Enumerable.Range(0, 8).Select(i => InProcessWorld.Greedy($"r{i}", [570, 47, 39 + i, 100 + (7 * i)], Tokens))];
        var outcomes = await world.RunAsync([.. requests]);
        Assert.All(outcomes, outcome => Assert.True(outcome.FinishReason == "length", outcome.Error));
        // They may end before a lease is left: steps that are planned after it.
        await world.RunAsync(InProcessWorld.Greedy("after", [497, 14], 2));
        JsonElement status;
        // On a busy machine somebody may answer too late to be in the status.
        do status = JsonDocument.Parse(await world.Client.InspectAsync(Subject.Status, "")).RootElement;
        while (status.GetProperty("recent").GetArrayLength() == 0
            || status.GetProperty("ranks").EnumerateArray().Any(r => r.GetProperty("resident_bytes").GetInt64() == 0));
        return ([.. outcomes.Select(outcome => string.Join(' ', outcome.Ids))], status);
    }
}
