using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters whose prompts go to the experts in halves answer as those whose rows go together.</summary>
public sealed class OverlapTests
{
    [Theory]
    [InlineData(1, 2, "low_latency")]
    [InlineData(2, 2, "workspace")]
    public async Task Tokens_and_logits_are_the_same_bits_with_and_without(int stages, int replicas, string strategy)
    {
        Random random = Seed.For(nameof(Tokens_and_logits_are_the_same_bits_with_and_without));
        RequestSpec[] requests = [.. Enumerable.Range(0, 4).Select(i => InProcessWorld.Greedy(
            $"r{i}", [.. Enumerable.Range(0, 90 + 31 * i).Select(_ => random.Next(500))], 8) with { Mode = SequenceMode.Probe })];

        (IReadOnlyList<RequestOutcome> whole, StatusReport off) = await Run("off");
        (IReadOnlyList<RequestOutcome> halves, StatusReport on) = await Run("on");

        Assert.DoesNotContain(off.Recent, step => step.InHalves);
        Assert.Contains(on.Recent, step => step.InHalves);
        foreach ((RequestOutcome wanted, RequestOutcome got) in whole.Zip(halves))
        {
            Assert.Equal(("", 8), (got.Error, got.Ids.Count));
            Assert.Equal(wanted.Ids, got.Ids);
            Assert.NotEmpty(got.Logits);
            Assert.Equal(wanted.Logits, got.Logits);
            Assert.Equal(wanted.Top.LogProbs, got.Top.LogProbs);
        }

        async Task<(IReadOnlyList<RequestOutcome>, StatusReport)> Run(string overlap)
        {
            await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
                $"troupe.numbers.math = exact\ntroupe.routing {{ overlap = {overlap}, strategy = {strategy} }}");
            IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync(requests);
            string status = await world.Client.InspectAsync(Subject.Status, "");
            return (outcomes, JsonSerializer.Deserialize(status, ReportJson.Default.StatusReport)!);
        }
    }
}
