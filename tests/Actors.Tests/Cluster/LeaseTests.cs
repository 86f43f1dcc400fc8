using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters inside this process under a lease: who comes, ends or gives up changes nobody else's tokens.</summary>
public sealed class LeaseTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(2);
    private static readonly int[] s_prompt = [570, 47, 39];

    public static TheoryData<int, int, int, int> Layouts => new()
    {
        { 1, 1, 4096, 1 }, { 1, 2, 4096, 1 }, { 2, 1, 7, 1 }, { 2, 2, 4096, 1 }, { 3, 2, 5, 1 }, { 1, 1, 9, 2 }, { 2, 1, 4096, 4 },
        { 2, 2, 6, 2 },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Twelve_requests_at_once_give_what_each_gives_alone_and_what_they_give_without_leases(
        int stages, int replicas, int steps, int tensor)
    {
        Random random = Seed.For($"{nameof(LeaseTests)} {stages} {replicas}");
        RequestSpec[] requests = [.. Enumerable.Range(0, 12).Select(i => InProcessWorld.Greedy($"r{i}",
            [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(1, 4096))], random.Next(1, 40)))];
        await using InProcessWorld planned = await StartAsync(stages, replicas, 0, tensor),
            leased = await StartAsync(stages, replicas, steps, tensor);

        IReadOnlyList<RequestOutcome> want = await planned.RunAsync(requests), together = await leased.RunAsync(requests);

        Assert.Equal(want.Select(o => string.Join(' ', o.Ids)), together.Select(o => string.Join(' ', o.Ids)));
        Assert.All(together, outcome => Assert.Equal("length", outcome.FinishReason));
        foreach (int i in (int[])[0, 5, 11])
            Assert.Equal(together[i].Ids, (await leased.RunAsync(requests[i] with { Id = $"alone{i}" }))[0].Ids);
        Assert.Contains("none", (await StatusAsync(planned)).GetProperty("lease").GetString());
    }

    [Theory]
    [InlineData("qwen3", 1, 2)]
    [InlineData("qwen3", 2, 2)]
    [InlineData("qwen3-moe-mixed", 5, 1)]
    [InlineData("qwen3", 1, 1, 2)]
    [InlineData("qwen3-moe-mixed", 5, 1, 3)]
    public async Task Stages_without_experts_agree_by_a_vote(string model, int stages, int replicas, int tensor = 1)
    {
        RequestSpec[] requests = [.. Enumerable.Range(0, 5).Select(i => InProcessWorld.Greedy($"r{i}", [1 + i, 2, 3], 5 + (7 * i)))];
        string folder = Repository.At("tests", "goldens", "models", model);
        await using InProcessWorld planned = await InProcessWorld.StartAsync(folder, stages, replicas,
                "troupe.routing.lease-steps = 0", tensor),
            leased = await InProcessWorld.StartAsync(folder, stages, replicas, "troupe.routing.lease-steps = 11", tensor);

        IReadOnlyList<RequestOutcome> want = await planned.RunAsync(requests), got = await leased.RunAsync(requests);

        Assert.Equal(want.Select(o => string.Join(' ', o.Ids)), got.Select(o => string.Join(' ', o.Ids)));
        Assert.All(got.Zip(requests), pair => Assert.Equal(pair.Second.MaxTokens, pair.First.Ids.Count));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(2, 1, 2)]
    public async Task Ranks_leave_for_a_request_that_comes_and_return_and_the_others_tokens_are_the_same(
        int stages, int replicas, int tensor = 1)
    {
        await using InProcessWorld world = await StartAsync(stages, replicas, 4096, tensor);
        RequestSpec slow = InProcessWorld.Greedy("slow", s_prompt, 1500), quick = InProcessWorld.Greedy("quick", [497, 14], 20);
        IReadOnlyList<RequestOutcome> alone = [.. await world.RunAsync(quick with { Id = "quick alone" })];
        Task<IReadOnlyList<RequestOutcome>> running = world.RunAsync(slow);
        long first = Since(await UntilLeasedAsync(world, 0));

        RequestOutcome came = (await world.RunAsync(quick))[0];
        long second = Since(await UntilLeasedAsync(world, first));
        world.Client.Cancel("slow");
        RequestOutcome stayed = (await running.WaitAsync(s_deadline))[0];

        Assert.Equal(alone[0].Ids, came.Ids);
        Assert.True(second > first);
        List<int> want = (await world.RunAsync(slow with { Id = "slow alone", MaxTokens = 200 }))[0].Ids;
        Assert.True(stayed.Ids.Count > 5, $"{stayed.Ids.Count} tokens, leases from {first} and {second}");
        Assert.Equal(want.Take(stayed.Ids.Count), stayed.Ids.Take(want.Count));
        string explained = await world.Client.InspectAsync(Subject.Explain, $"{first}");
        Assert.Contains($"leased since step {first}", explained);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(2, 1, 2)]
    public async Task A_request_that_is_given_up_or_meets_its_stop_text_ends_inside_the_lease_and_its_KV_is_free(
        int stages, int replicas, int tensor = 1)
    {
        await using InProcessWorld world = await StartAsync(stages, replicas, 1 << 20, tensor);
        RequestOutcome whole = (await world.RunAsync(InProcessWorld.Greedy("whole", [497, 14], 60)))[0];
        string stop = whole.Text[(whole.Text.Length / 2)..][..6];
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<IReadOnlyList<RequestOutcome>> running = world.Client.RunAsync(
        [
            InProcessWorld.Greedy("slow", s_prompt, 800), InProcessWorld.Greedy("given up", [497, 14, 3], 1500),
            InProcessWorld.Greedy("stopped", [497, 14], 1500) with { Stop = [stop] },
        ], (outcome, _) =>
        {
            if (outcome.Request.Id == "given up" && outcome.Ids.Count > 50) begun.TrySetResult();
        }, CancellationToken.None);
        await begun.Task.WaitAsync(s_deadline);
        long lease = Since(await UntilLeasedAsync(world, 0));
        int free = Free(await StatusAsync(world));

        world.Client.Cancel("given up");
        JsonElement after = await UntilAsync(world, status => Free(status) > free);

        Assert.Equal(lease, Since(after));
        IReadOnlyList<RequestOutcome> outcomes = await running.WaitAsync(s_deadline);
        Assert.Equal(["length", "cancelled", "stop"], outcomes.Select(o => o.FinishReason));
        Assert.Equal(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], outcomes[2].Text);
        JsonElement idle = await UntilAsync(world, status => Since(status) == 0);
        JsonElement scheduler = idle.GetProperty("schedulers")[0];
        Assert.Equal(scheduler.GetProperty("kv_blocks").GetInt32(), scheduler.GetProperty("kv_blocks_free").GetInt32());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(1, 1, 2)]
    public async Task A_token_that_ends_text_ends_its_request_inside_the_lease(int stages, int replicas, int tensor = 1)
    {
        ModelSource sample = ModelSource.FromFolder(InProcessWorld.SampleModel);
        RequestSpec request = InProcessWorld.Greedy("whole", s_prompt, 60);
        int[] ids;
        await using (InProcessWorld plain = await StartAsync(1, 1, 0)) ids = [.. (await plain.RunAsync(request))[0].Ids];
        // A model for which a token in the middle of its answer ends text.
        int at = Enumerable.Range(20, 40).First(i => !ids.AsSpan(0, i).Contains(ids[i]));
        ModelSource ends = sample with { Config = sample.Config with { EosTokenIds = [ids[at]] } };
        await using InProcessWorld world = await InProcessWorld.StartAsync(ends, stages, replicas, tensor: tensor);

        IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync(
            request with { Id = "ends", IgnoreEos = false }, request with { Id = "goes on", IgnoreEos = true });

        Assert.Equal(("stop", "length"), (outcomes[0].FinishReason, outcomes[1].FinishReason));
        Assert.Equal(ids[..at], outcomes[0].Ids);
        Assert.Equal(ids, outcomes[1].Ids);
    }

    private static Task<InProcessWorld> StartAsync(int stages, int replicas, int leaseSteps, int tensor = 1) => InProcessWorld.StartAsync(
        InProcessWorld.SampleModel, stages, replicas, $"troupe.routing.lease-steps = {leaseSteps}", tensor);

    private static async Task<JsonElement> StatusAsync(InProcessWorld world) =>
        JsonDocument.Parse(await world.Client.InspectAsync(Subject.Status, "")).RootElement;

    private static Task<JsonElement> UntilLeasedAsync(InProcessWorld world, long after) =>
        UntilAsync(world, status => Since(status) > after);

    private static async Task<JsonElement> UntilAsync(InProcessWorld world, Predicate<JsonElement> holds)
    {
        using var deadline = new CancellationTokenSource(s_deadline);
        while (true)
        {
            JsonElement status = await StatusAsync(world);
            if (holds(status)) return status;
            Assert.False(deadline.IsCancellationRequested, $"not so within {s_deadline}: {status}");
        }
    }

    private static int Free(JsonElement status) =>
        status.GetProperty("schedulers").EnumerateArray().Sum(s => s.GetProperty("kv_blocks_free").GetInt32());

    /// <summary>The first step of the lease in force; 0 for none.</summary>
    private static long Since(JsonElement status)
    {
        string lease = status.GetProperty("lease").GetString()!;
        return lease.StartsWith("leased since step ", StringComparison.Ordinal)
            ? long.Parse(lease["leased since step ".Length..lease.IndexOf(':', StringComparison.Ordinal)],
                System.Globalization.CultureInfo.InvariantCulture)
            : 0;
    }
}
