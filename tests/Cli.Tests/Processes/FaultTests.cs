using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>What happens when a part of a real cluster dies or hangs: an error that names it, and nothing left behind.</summary>
[Collection("processes")]
public sealed class FaultTests
{
    [Theory]
    [InlineData("shm", 3)]
    [InlineData("tcp", 0)]
    [InlineData("shm", 3, 1, 2)]
    [InlineData("shm", 1, 1, 2)]
    public async Task A_rank_killed_in_a_batch_is_named_with_step_layer_and_phase_and_nothing_is_left(
        string fabric, int victim, int replicas = 2, int tensor = 1)
    {
        IReadOnlyList<int> pids;
        await using (ProcessWorld world = await ProcessWorld.StartAsync(2, replicas, $"troupe.fabric.kind = {fabric}", tensor: tensor))
        {
            pids = world.Pids;
            IReadOnlyList<RequestOutcome> outcomes = await Run(world, () => ProcessWorld.Signal(pids[victim], "KILL"));

            foreach (RequestOutcome outcome in outcomes)
            {
                Assert.Equal("error", outcome.FinishReason);
                Assert.Contains($"rank {victim}", outcome.Error);
                Assert.Matches("died|connection", outcome.Error);
            }
            // The scheduler's own rank says where it was when the wait ended; the other replica's may have died with its rank.
            Assert.Contains(outcomes, o =>
                System.Text.RegularExpressions.Regex.IsMatch(o.Error, "rank [0-9] at epoch 1, step [0-9]+, layer [0-9], [a-z ]+: rank"));
            Assert.NotNull(await world.Handle.Ended.WaitAsync(ProcessWorld.Deadline));
        }
        Assert.All(pids, pid => Assert.False(ProcessWorld.Lives(pid)));
        await using ProcessWorld again = await ProcessWorld.StartAsync(1, 2, $"troupe.fabric.kind = {fabric}");
    }

    [Fact]
    public async Task A_rank_that_is_stopped_is_named_after_the_deadline_of_the_configuration()
    {
        await using ProcessWorld world = await ProcessWorld.StartAsync(2, 2, "troupe.fabric { kind = shm, wait-deadline = 6s }");
        IReadOnlyList<RequestOutcome> outcomes = await Run(world, () => ProcessWorld.Signal(world.Pids[1], "STOP"));
        Assert.All(outcomes, o => Assert.Equal("error", o.FinishReason));
        Assert.Contains(outcomes, o => o.Error.Contains("rank 1 did not answer within 6 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_rank_that_is_stopped_while_nobody_waits_for_it_is_named_too()
    {
        // Rank 0 hosts the only scheduler: without requests no rank waits, and nobody but the control node can notice.
        await using ProcessWorld world = await ProcessWorld.StartAsync(2, 1, "troupe.fabric { kind = shm, wait-deadline = 3s }");
        ProcessWorld.Signal(world.Pids[0], "STOP");
        string? error = await world.Handle.Ended.WaitAsync(ProcessWorld.Deadline);
        Assert.Contains($"rank 0 did not answer within 3 s: process {world.Pids[0]} at ", error);
    }

    [Theory]
    [InlineData("shm", 3)]
    [InlineData("mixed", 1)]
    public async Task A_rank_whose_drill_is_to_die_kills_its_process_and_is_named(string fabric, int victim)
    {
        int step = Seed.For(nameof(A_rank_whose_drill_is_to_die_kills_its_process_and_is_named)).Next(10, 40);
        IReadOnlyList<int> pids;
        await using (ProcessWorld world = await ProcessWorld.StartAsync(2, 2, $$"""
            troupe.layout { stages = 2, replicas = 2 }
            troupe.fabric { kind = {{fabric}}, host = "a,a,b,b" }
            troupe.drill { fault = die, rank = {{victim}}, step = {{step}}, layer = {{victim / 2 * 3 + 1}} }
            """))
        {
            pids = world.Pids;
            Assert.All(pids, pid => Assert.True(ProcessWorld.Lives(pid)));
            IReadOnlyList<RequestOutcome> outcomes = await Run(world, () => { });
            foreach (RequestOutcome outcome in outcomes)
            {
                Assert.Equal("error", outcome.FinishReason);
                Assert.Contains($"rank {victim}", outcome.Error);
                Assert.Matches("died|connection", outcome.Error);
            }
            Assert.Contains($"rank {victim}", await world.Handle.Ended.WaitAsync(ProcessWorld.Deadline));
        }
        Assert.All(pids, pid => Assert.False(ProcessWorld.Lives(pid)));
    }

    private static Task<IReadOnlyList<RequestOutcome>> Run(ProcessWorld world, Action onceAllRun)
    {
        var running = new HashSet<string>();
        bool done = false;
        RequestSpec[] requests = [.. Enumerable.Range(0, 4).Select(i => ProcessWorld.Greedy($"r{i}", [570, 47, 39 + i], 1500))];
        return world.RunAsync(requests, (outcome, _) =>
        {
            if (outcome.Ids.Count < 5 || !running.Add(outcome.Request.Id) || running.Count < requests.Length || done) return;
            done = true;
            onceAllRun();
        });
    }
}
