using System.Text.Json;
using Troupe.Actors.Client;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters inside this process continue prompts as the reference implementation did.</summary>
public sealed class GoldenTextTests
{
    public static TheoryData<int, int> Layouts => new() { { 1, 1 }, { 1, 2 }, { 1, 4 }, { 2, 1 }, { 3, 1 }, { 2, 2 } };

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Every_layout_continues_the_golden_prompts_with_the_same_tokens(int stages, int replicas)
    {
        using JsonDocument golden =
            JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(InProcessWorld.SampleModel, "heldout.json")));
        var cases = golden.RootElement.GetProperty("golden").EnumerateArray()
            .Select((g, i) => (Request: InProcessWorld.Greedy($"g{i}", Ints(g, "ids"), Ints(g, "greedy").Length), Want: Ints(g, "greedy"),
                Text: g.GetProperty("text").GetString()))
            .ToList();
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
            "troupe.numbers.math = exact");

        IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync([.. cases.Select(c => c.Request)]);

        foreach (((_, int[] want, string? text), RequestOutcome outcome) in cases.Zip(outcomes))
        {
            Assert.Equal("", outcome.Error);
            Assert.Equal(want, outcome.Ids);
            Assert.Equal(text, outcome.Text);
            Assert.Equal("length", outcome.FinishReason);
        }
    }

    private static int[] Ints(JsonElement element, string name) =>
        [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
