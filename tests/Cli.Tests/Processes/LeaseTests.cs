using System.Text.Json;
using Troupe.Actors.Protocols;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>Steady decode between real processes, and what crosses their wires meanwhile.</summary>
[Collection("processes")]
public sealed class LeaseTests
{
    private const int Tokens = 1900;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(1, 2, "troupe.routing { strategy = low_latency, shadow-every = 3 }")]
    [InlineData(2, 1, "", 2)]
    public async Task Steady_decode_sends_no_message_but_the_results_with_tokens(
        int stages, int replicas, string hocon = "", int tensor = 1)
    {
        await using ProcessWorld world = await ProcessWorld.StartAsync(stages, replicas, hocon, tensor: tensor);
        int[] tokens = new int[replicas];
        using var more = new SemaphoreSlim(0);
        var running = world.RunAsync(
            [.. Enumerable.Range(0, replicas).Select(r => ProcessWorld.Greedy($"{r}", [570, 47, 39], Tokens))], (outcome, _) =>
        {
            Volatile.Write(ref tokens[int.Parse(outcome.Request.Id, System.Globalization.CultureInfo.InvariantCulture)], outcome.Ids.Count);
            more.Release();
        });
        async Task ReachAsync(int count)
        {
            while (tokens.Min() < count)
                Assert.True(await more.WaitAsync(ProcessWorld.Deadline), $"no token within {ProcessWorld.Deadline}");
        }

        await ReachAsync(50);
        (long Sent, string Lease) before = await StateAsync(world);
        await ReachAsync(tokens.Max() + 100);
        (long Sent, string Lease) after = await StateAsync(world);
        int reached = tokens.Max();
        for (int r = 0; r < replicas; r++) world.Client.Cancel($"{r}");
        await running;

        Assert.True(reached < Tokens, "the requests ended before the messages were counted: ask for more tokens");
        Assert.StartsWith("leased since", before.Lease);
        Assert.Equal(before, after);
    }

    /// <summary>Messages about steps that all processes have sent, and the lease in force.</summary>
    private static async Task<(long Sent, string Lease)> StateAsync(ProcessWorld world)
    {
        JsonElement status;
        // On a busy machine a rank may answer too late to be in the status: its counters must be.
        do status = JsonDocument.Parse(await world.Client.InspectAsync(Subject.Status, "")).RootElement;
        while (status.GetProperty("ranks").EnumerateArray().Any(r => r.GetProperty("resident_bytes").GetInt64() == 0));
        long ranks = status.GetProperty("ranks").EnumerateArray().Sum(r => r.GetProperty("step_messages_sent").GetInt64());
        return (ranks + WireCounters.Process.Snapshot().StepMessagesSent, status.GetProperty("lease").GetString()!);
    }
}
