using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>
/// Whatever company a request has, in number, length, end and order of arrival: its answer is the one that it gets alone, bit for bit in
/// exact math.
/// </summary>
public sealed class CompanyTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData(1, 4, 1, 1)]
    [InlineData(1, 4, 1, 3)]
    [InlineData(2, 3, 1, 2)]
    [InlineData(2, 2, 2, 1)]
    public async Task Fewer_requests_than_replicas_leave_the_others_to_serve_experts(int stages, int replicas, int tensor, int count)
    {
        await using InProcessWorld world = await StartAsync(stages, replicas, tensor);
        IReadOnlyList<RequestOutcome> together = await EachAsAloneAsync(world, [.. Some(count)]);
        Assert.Equal(count, together.Select(o => o.Replica).Distinct().Count());
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(4, 1, 1)]
    [InlineData(2, 1, 4)]
    public async Task One_request_gets_the_same_again_and_again(int stages, int replicas, int tensor)
    {
        await using InProcessWorld world = await StartAsync(stages, replicas, tensor);
        for (int again = 0; again < 3; again++) await EachAsAloneAsync(world, [.. Some(1)]);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(2, 1, 2)]
    public async Task A_batch_larger_than_slots_and_cache_waits_its_turn(int stages, int replicas, int tensor)
    {
        // Twenty requests; four slots a replica, and KV for about two requests of them.
        await using InProcessWorld world =
            await StartAsync(stages, replicas, tensor, "max-running = 4, kv-tokens = 128");
        await EachAsAloneAsync(world, [.. Some(20)]);
    }

    [Theory]
    [InlineData(1, 2, 1)]
    [InlineData(3, 1, 1)]
    [InlineData(2, 1, 2)]
    public async Task Requests_that_end_at_different_steps_and_for_different_reasons(int stages, int replicas, int tensor)
    {
        await using InProcessWorld world = await StartAsync(stages, replicas, tensor);
        RequestSpec[] some = [.. Some(10)];
        string text = (await RunAsync(world, some[0] with { Id = "whole", MaxTokens = 30 }))[0].Text;
        RequestSpec[] requests =
        [
            .. some.Select((r, i) => r with { MaxTokens = 1 + (i * i) }),
            some[0] with { Id = "stop", MaxTokens = 60, Stop = [text[(text.Length / 2)..][..4]] },
            some[1] with { Id = "score", MaxTokens = 0, Mode = SequenceMode.Score },
            some[2] with { Id = "probe", Mode = SequenceMode.Probe },
        ];
        IReadOnlyList<RequestOutcome> together = await EachAsAloneAsync(world, requests);
        Assert.Equal([.. Enumerable.Repeat("length", 10), "stop", "scored", "length"], together.Select(o => o.FinishReason));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(3, 1, 2)]
    public async Task Prompts_around_and_beyond_a_chunk(int stages, int replicas, int tensor)
    {
        const int chunk = 16;
        Random random = Seed.For(nameof(Prompts_around_and_beyond_a_chunk));
        int[] lengths = [1, chunk - 1, chunk, chunk + 1, 2 * chunk, 5 * chunk + 3];
        RequestSpec[] requests =
        [
            .. from length in lengths
               from mode in Enum.GetValues<SequenceMode>()
               select InProcessWorld.Greedy($"{length} {mode}", Ids(random, length), 6) with { Mode = mode },
        ];
        await using InProcessWorld whole = await StartAsync(stages, replicas, tensor),
            chunked = await StartAsync(stages, replicas, tensor, $"prefill-chunk = {chunk}");
        IReadOnlyList<RequestOutcome> want = await RunAsync(whole, requests), got = await EachAsAloneAsync(chunked, requests);
        foreach ((RequestOutcome unchunked, RequestOutcome outcome) in want.Zip(got)) Same(unchunked, outcome);
    }

    [Theory]
    [InlineData(1, 2, 2, "eager")]
    [InlineData(2, 2, 1, "eager")]
    [InlineData(3, 1, 1, "rendezvous")]
    public async Task Two_hundred_requests_that_arrive_in_any_order(int stages, int replicas, int tensor, string hops)
    {
        Random random = Seed.For($"{nameof(Two_hundred_requests_that_arrive_in_any_order)} {stages} {replicas} {tensor}");
        RequestSpec[] kinds =
        [
            .. Enumerable.Range(0, 40).Select(i => InProcessWorld.Greedy($"k{i}", Ids(random, random.Next(1, 50)), random.Next(1, 14)) with
            {
                Sampling = new SamplingSpec(i % 4 == 0 ? 0.8f : 0, 0, 1, 0, 1, (ulong)i), // each fourth one is drawn
                Mode = i % 10 == 5 ? SequenceMode.Score : i % 10 == 7 ? SequenceMode.Probe : SequenceMode.Generate,
            }),
        ];
        await using InProcessWorld world =
            await StartAsync(stages, replicas, tensor, "prefill-chunk = 24, max-running = 12", $"troupe.fabric.hops = {hops}");
        var alone = new List<RequestOutcome>();
        foreach (RequestSpec kind in kinds) alone.Add((await RunAsync(world, kind))[0]);
        int[] order = [.. Enumerable.Range(0, 200)];
        random.Shuffle(order);

        IReadOnlyList<RequestOutcome> outcomes =
            await ArriveAsync(world, [.. order.Select(i => kinds[i % kinds.Length] with { Id = $"r{i}" })], random);

        foreach ((int i, RequestOutcome outcome) in order.Zip(outcomes)) Same(alone[i % kinds.Length], outcome);
        Assert.Equal(replicas, outcomes.Select(o => o.Replica).Distinct().Count());
    }

    /// <summary>
    /// Submits requests in bursts, each once so many things have happened to those before: so they come while others are in the midst of
    /// their prompts or decode. Each request brings two events at least, so what is waited for comes.
    /// </summary>
    private static async Task<IReadOnlyList<RequestOutcome>> ArriveAsync(InProcessWorld world, RequestSpec[] requests, Random random)
    {
        using var deadline = new CancellationTokenSource(s_deadline);
        using var events = new SemaphoreSlim(0);
        var running = new List<Task<IReadOnlyList<RequestOutcome>>>();
        for (int next = 0; next < requests.Length;)
        {
            RequestSpec[] burst = requests[next..Math.Min(requests.Length, next + random.Next(1, 16))];
            next += burst.Length;
            running.Add(world.Client.RunAsync(burst, (_, _) => events.Release(), CancellationToken.None));
            for (int happen = random.Next(2 * burst.Length); happen > 0; happen--) await events.WaitAsync(deadline.Token);
        }
        return [.. (await Task.WhenAll(running).WaitAsync(deadline.Token)).SelectMany(outcomes => outcomes)];
    }

    /// <summary>Runs requests together and then each alone in the same world.</summary>
    /// <returns>What they got together.</returns>
    private static async Task<IReadOnlyList<RequestOutcome>> EachAsAloneAsync(InProcessWorld world, RequestSpec[] requests)
    {
        IReadOnlyList<RequestOutcome> together = await RunAsync(world, requests);
        foreach (RequestOutcome outcome in together)
            Same((await RunAsync(world, outcome.Request with { Id = $"{outcome.Request.Id} alone" }))[0], outcome);
        return together;
    }

    private static void Same(RequestOutcome want, RequestOutcome got)
    {
        Assert.Equal(("", want.FinishReason), (got.Error, got.FinishReason));
        Assert.Equal(want.Ids, got.Ids);
        Assert.Equal(want.Text, got.Text);
        Assert.Equal(want.LogProbs, got.LogProbs);
        Assert.Equal(want.Top.Ids, got.Top.Ids);
        Assert.Equal(want.Top.LogProbs, got.Top.LogProbs);
        Assert.Equal(want.Logits, got.Logits);
        RequestSpec request = got.Request;
        Assert.Equal(request.Mode == SequenceMode.Score ? request.Ids.Count - 1 : 0, got.LogProbs.Count);
        Assert.Equal(request.Mode == SequenceMode.Probe ? 8 * request.Ids.Count : 0, got.Top.Ids.Count);
        if (got.FinishReason == "length") Assert.Equal(request.MaxTokens, got.Ids.Count);
    }

    private static Task<InProcessWorld> StartAsync(int stages, int replicas, int tensor, string scheduler = "", string more = "") =>
        InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
            $"troupe.numbers.math = exact\ntroupe.scheduler {{ {scheduler} }}\n{more}", tensor);

    private static async Task<IReadOnlyList<RequestOutcome>> RunAsync(InProcessWorld world, params RequestSpec[] requests)
    {
        using var deadline = new CancellationTokenSource(s_deadline);
        return await world.Client.RunAsync(requests, null, CancellationToken.None).WaitAsync(deadline.Token);
    }

    private static IEnumerable<RequestSpec> Some(int count)
    {
        Random random = Seed.For($"{nameof(CompanyTests)} {count}");
        for (int i = 0; i < count; i++)
            yield return InProcessWorld.Greedy($"r{i}", Ids(random, random.Next(1, 40)), random.Next(4, 20));
    }

    private static int[] Ids(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 4096))];
}
