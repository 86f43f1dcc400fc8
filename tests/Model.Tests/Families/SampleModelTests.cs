using System.Text.Json;
using System.Text.Json.Serialization;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Sampling;
using Troupe.Model.Tests.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Families;

/// <summary>The trained model that ships with the project, against what the reference class said in fp32.</summary>
public sealed class SampleModelTests : IDisposable
{
    private readonly HeldOut _heldOut =
        JsonSerializer.Deserialize<HeldOut>(File.ReadAllBytes(Repository.At("models", "sample", "heldout.json")))!;
    private readonly Checkpoint _checkpoint = Checkpoint.Open(Repository.At("models", "sample"));

    public void Dispose() => _checkpoint.Dispose();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    public void Greedy_texts_are_those_of_the_reference(int stages, int members)
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu, stages, members);
        foreach (HeldOutCase golden in _heldOut.Golden)
            Assert.Equal(golden.Greedy, cluster.Greedy(golden.Ids, golden.Greedy.Length, member: members - 1));
    }

    [Fact]
    public void Perplexity_and_expert_load_are_those_of_the_reference()
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, TestCluster.CpuTwoThreads);
        (double loss, int scored) = (0, 0);
        foreach (int[] window in _heldOut.Tokens.Chunk(_heldOut.Window))
        {
            cluster.Place(0, window.Length);
            List<float[]> logits = cluster.Feed(window);
            for (int i = 1; i < window.Length; i++, scored++) loss -= Scoring.LogProbability(logits[i - 1], window[i]);
        }
        Assert.Equal(_heldOut.ScoredTokens, scored);
        Assert.Equal(_heldOut.Perplexity, Math.Exp(loss / scored), _heldOut.Perplexity * 1e-4);
        double choices = _heldOut.Tokens.Length * (double)_checkpoint.Config.ExpertsPerToken;
        for (int layer = 0; layer < _checkpoint.Config.Layers; layer++)
        {
            ReadOnlySpan<long> load = cluster.Shard(0, 0).Load.Of(new LayerIndex(layer));
            for (int e = 0; e < load.Length; e++) Assert.Equal(_heldOut.ExpertLoad[layer][e], load[e] / choices, 2e-4);
        }
    }

    private sealed record HeldOut(
        [property: JsonPropertyName("heldout_tokens")] int[] Tokens,
        [property: JsonPropertyName("window")] int Window,
        [property: JsonPropertyName("perplexity")] double Perplexity,
        [property: JsonPropertyName("scored_tokens")] int ScoredTokens,
        [property: JsonPropertyName("expert_load")] double[][] ExpertLoad,
        [property: JsonPropertyName("golden")] HeldOutCase[] Golden);

    private sealed record HeldOutCase(
        [property: JsonPropertyName("ids")] int[] Ids,
        [property: JsonPropertyName("greedy")] int[] Greedy);
}
