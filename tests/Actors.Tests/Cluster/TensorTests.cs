using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters whose tensor ranks share each layer answer as one rank does.</summary>
public sealed class TensorTests
{
    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(1, 1, 8)]
    [InlineData(2, 1, 2)]
    [InlineData(1, 2, 2)]
    public async Task A_batch_with_prompts_in_chunks_gets_the_tokens_of_one_rank(int stages, int replicas, int tensor)
    {
        Random random = Seed.For($"{nameof(TensorTests)}");
        RequestSpec[] requests = [.. Enumerable.Range(0, 10).Select(i => InProcessWorld.Greedy($"r{i}",
            [.. Enumerable.Range(0, random.Next(1, 150)).Select(_ => random.Next(1, 4096))], random.Next(1, 16)))];
        const string small = "troupe.scheduler { prefill-chunk = 24, max-running = 8 }";
        await using InProcessWorld one = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, 1, small);
        await using InProcessWorld split =
            await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas, small, tensor);

        IReadOnlyList<RequestOutcome> want = await one.RunAsync(requests), got = await split.RunAsync(requests);

        Assert.Equal(want.Select(o => string.Join(' ', o.Ids)), got.Select(o => string.Join(' ', o.Ids)));
        using JsonDocument status = JsonDocument.Parse(await split.Client.InspectAsync(Subject.Status, ""));
        Assert.Equal(Enumerable.Range(0, stages * replicas * tensor).Select(rank => rank % tensor),
            status.RootElement.GetProperty("ranks").EnumerateArray().Select(rank => rank.GetProperty("tensor").GetInt32()));
        Assert.Equal(replicas, status.RootElement.GetProperty("schedulers").GetArrayLength());
    }
}
