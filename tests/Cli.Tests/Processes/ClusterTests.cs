using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>Real processes over every fabric that reaches them.</summary>
[Collection("processes")]
public sealed class ClusterTests
{
    [Theory]
    [InlineData("shm", 2, 2)]
    [InlineData("tcp", 2, 2)]
    [InlineData("tcp", 3, 1)]
    [InlineData("mixed", 2, 2)]
    [InlineData("shm", 1, 1, 2)]
    [InlineData("shm", 2, 1, 2)]
    [InlineData("tcp", 2, 1, 2)]
    [InlineData("mixed", 1, 2, 2)]
    public async Task Processes_continue_the_golden_prompts_as_the_reference_did(string fabric, int stages, int replicas, int tensor = 1)
    {
        var goldens = ProcessWorld.Goldens();
        await using ProcessWorld world = await ProcessWorld.StartAsync(stages, replicas,
            $"troupe.fabric {{ kind = {fabric}, host = \"a,a,b,b\" }}", tensor: tensor); // on mixed each stage, or replica, is a host
        IReadOnlyList<RequestOutcome> outcomes =
            await world.RunAsync([.. goldens.Select((g, i) => ProcessWorld.Greedy($"g{i}", g.Ids, g.Greedy.Length))]);
        foreach ((var golden, RequestOutcome outcome) in goldens.Zip(outcomes)) Assert.Equal(golden.Greedy, outcome.Ids);
    }

    [Fact]
    public async Task Twelve_requests_at_once_give_token_for_token_what_each_gives_alone_and_the_bulk_stays_on_the_fabric()
    {
        Random random = Seed.For(
            nameof(Twelve_requests_at_once_give_token_for_token_what_each_gives_alone_and_the_bulk_stays_on_the_fabric));
        RequestSpec[] requests = [.. Enumerable.Range(0, 12).Select(i => ProcessWorld.Greedy($"r{i}",
            [.. Enumerable.Range(0, random.Next(1, 400)).Select(_ => random.Next(1, 4096))], random.Next(5, 60)))];
        await using ProcessWorld world = await ProcessWorld.StartAsync(2, 2);

        var together = await world.RunAsync(requests);
        foreach ((RequestSpec request, RequestOutcome outcome) in requests.Zip(together))
        {
            RequestOutcome alone = (await world.RunAsync([request with { Id = request.Id + "-alone" }]))[0];
            Assert.Equal("length", outcome.FinishReason);
            Assert.Equal(alone.Ids, outcome.Ids);
        }
        var status = System.Text.Json.JsonDocument.Parse(await world.Client.InspectAsync(Subject.Status, "")).RootElement;
        long steps = status.GetProperty("step").GetInt64();
        long fabric = status.GetProperty("ranks").EnumerateArray().Sum(r => r.GetProperty("fabric_bytes_sent").GetInt64());
        long messages = status.GetProperty("ranks").EnumerateArray().Sum(r => r.GetProperty("actor_bytes_sent").GetInt64());
        // A row of the sample is 1 KiB: had any travelled in a message, messages would outweigh this by far.
        Assert.True(messages < steps * 2048, $"{messages} bytes of messages in {steps} steps");
        Assert.True(fabric > 20 * messages, $"{fabric} bytes on the fabric, {messages} in messages");
    }
}

/// <summary>Clusters of processes run one after the other: two cores are few.</summary>
[CollectionDefinition("processes", DisableParallelization = true)]
public sealed class ProcessesCollection;
