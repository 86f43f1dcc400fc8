using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Clusters whose stages wait for each other's receives.</summary>
public sealed class HopTests
{
    [Theory]
    [InlineData(2, 1, 4096)]
    [InlineData(2, 2, 4096)]
    [InlineData(3, 1, 4096)]
    [InlineData(4, 2, 4096)]
    [InlineData(2, 2, 0)]
    [InlineData(4, 1, 0)]
    public async Task Stages_that_wait_for_receives_give_the_same_bits_planned_and_leased(int stages, int replicas, int leaseSteps)
    {
        Random random = Seed.For(nameof(Stages_that_wait_for_receives_give_the_same_bits_planned_and_leased));
        RequestSpec[] requests = [.. Enumerable.Range(0, 7).Select(i => InProcessWorld.Greedy(
            $"r{i}", [.. Enumerable.Range(0, 3 + 90 * (i % 3)).Select(_ => random.Next(500))], 4 + 3 * i))];
        IReadOnlyList<RequestOutcome> eager = await Run("eager"), waiting = await Run("rendezvous");
        foreach ((RequestOutcome wanted, RequestOutcome got) in eager.Zip(waiting))
        {
            Assert.Equal(("", wanted.Request.MaxTokens), (got.Error, got.Ids.Count));
            Assert.Equal(wanted.Ids, got.Ids);
        }

        async Task<IReadOnlyList<RequestOutcome>> Run(string hops)
        {
            await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
                $"troupe.numbers.math = exact\ntroupe.fabric {{ hops = {hops}, wait-deadline = 20s }}\n"
                    + $"troupe.routing.lease-steps = {leaseSteps}");
            return await world.RunAsync(requests);
        }
    }
}
