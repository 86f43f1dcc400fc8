using System.Text.RegularExpressions;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Tests.Cluster;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.RankSteps;

/// <summary>Faults that a configuration asks for, in whole clusters inside this process, at a step and layer that a seed draws.</summary>
public sealed class FaultDrillTests
{
    private const int Layers = 6; // of the sample model

    [Theory]
    [InlineData("hang", 1, 2)]
    [InlineData("hang", 2, 1)]
    [InlineData("die", 1, 2)]
    [InlineData("die", 2, 2)]
    [InlineData("drop-put", 1, 2)]
    [InlineData("drop-put", 2, 1)]
    public async Task A_rank_that_fails_on_purpose_ends_every_request_with_an_error_that_names_it(string fault, int stages, int replicas)
    {
        var random = Seed.For($"{nameof(A_rank_that_fails_on_purpose_ends_every_request_with_an_error_that_names_it)} {fault}");
        int rank = random.Next(stages * replicas), stage = rank / replicas, perStage = Layers / stages;
        var split = LayerSplit.Even(Layers, stages);
        // A stage that has one rank puts only to the next one, which has no layer.
        string layer = fault == "drop-put" && replicas == 1 ? "any" : $"{stage * perStage + random.Next(perStage)}";
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
            $"troupe.layout {{ stages = {stages}, replicas = {replicas}, split = \"{split.ToText()}\" }}\n"
            + "troupe.fabric.wait-deadline = 2s\n"
            + $"troupe.drill {{ fault = {fault}, rank = {rank}, step = {random.Next(4, 30)}, layer = {layer} }}");

        IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync([.. Enumerable.Range(0, 2 * replicas).Select(i =>
            InProcessWorld.Greedy($"r{i}", [570, 47, 39 + i], 200))]);

        foreach (RequestOutcome outcome in outcomes)
        {
            Assert.Equal("error", outcome.FinishReason);
            // Of a put that is lost both ends wait, one for what was lost and one for the answer to it: either may be first to say so.
            Assert.Matches(fault switch
            {
                "hang" => $"rank {rank} (did not answer within 2 s|hung, as its fault plan said)",
                "die" => $"rank {rank} (died, as its fault plan said|closed its fabric connection)",
                _ => "rank [0-9] did not answer within 2 s",
            }, outcome.Error);
        }
    }

    [Theory]
    [InlineData("hang", 0)]
    [InlineData("die", 1)]
    public async Task A_rank_that_fails_in_a_step_in_halves_is_named_too(string fault, int rank)
    {
        int layer = Seed.For($"{nameof(A_rank_that_fails_in_a_step_in_halves_is_named_too)} {fault}").Next(Layers);
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, 2,
            "troupe.layout.replicas = 2\ntroupe.fabric.wait-deadline = 2s\ntroupe.routing.overlap = on\n"
            + $"troupe.drill {{ fault = {fault}, rank = {rank}, step = 3, layer = {layer} }}");

        IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync([.. Enumerable.Range(0, 4).Select(i =>
            InProcessWorld.Greedy($"r{i}", [.. Enumerable.Range(0, 200).Select(t => 40 + t + i)], 4))]);

        Assert.All(outcomes, outcome => Assert.Matches(fault == "hang"
            ? $"rank {rank} (did not answer within 2 s|hung, as its fault plan said)"
            : $"rank {rank} (died, as its fault plan said|closed its fabric connection)", outcome.Error));
    }

    [Fact]
    public async Task A_rank_that_is_slow_on_purpose_changes_no_token()
    {
        int[] prompt = [570, 47, 39];
        async Task<RequestOutcome> Run(string hocon)
        {
            await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 2, 2, hocon);
            return (await world.RunAsync(InProcessWorld.Greedy("r", prompt, 12)))[0];
        }

        RequestOutcome slow = await Run(
            "troupe.layout { stages = 2, replicas = 2 }\ntroupe.drill { fault = slow, rank = 1, step = 4, slow-by = 2ms }");
        RequestOutcome plain = await Run("");
        Assert.Equal("length", slow.FinishReason);
        Assert.Equal(plain.Ids, slow.Ids);
    }
}
