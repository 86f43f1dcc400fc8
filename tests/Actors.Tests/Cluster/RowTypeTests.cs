using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Rows that travel in fewer bytes change some tokens of a real model, not what it says.</summary>
public sealed class RowTypeTests
{
    private const int Requests = 8, Tokens = 16;

    [Theory]
    [InlineData("bf16", 0.9)]
    [InlineData("int8", 0.75)]
    [InlineData("fp8", 0.5)]
    public async Task Greedy_tokens_are_mostly_those_of_fp32_rows(string rows, double share)
    {
        Random random = Seed.For(nameof(RowTypeTests));
        RequestSpec[] requests = [.. Enumerable.Range(0, Requests).Select(i => InProcessWorld.Greedy($"r{i}",
            [.. Enumerable.Range(0, 24).Select(_ => random.Next(1, 4096))], Tokens))];
        RequestSpec scored = requests[0] with { Id = "scored", Mode = SequenceMode.Score };
        async Task<(int[][] Ids, float[] LogProbs)> Run(string type)
        {
            await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, 2,
                $"troupe.numbers {{ rows = {type}, math = exact }}");
            IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync([.. requests, scored]);
            return ([.. outcomes.SkipLast(1).Select(outcome => outcome.Ids.ToArray())], [.. outcomes[^1].LogProbs]);
        }

        ((int[][] want, float[] exact), (int[][] got, float[] rounded)) = (await Run("fp32"), await Run(rows));

        Assert.All(got, ids => Assert.Equal(Tokens, ids.Length));
        int equal = want.Zip(got).Sum(pair => pair.First.Zip(pair.Second).TakeWhile(t => t.First == t.Second).Count());
        Assert.True(equal >= share * Requests * Tokens, $"{equal} of {Requests * Tokens} tokens before the first that differs");
        Assert.NotEmpty(exact);
        Assert.NotEqual(exact, rounded); // else the rows travelled as fp32
    }
}
