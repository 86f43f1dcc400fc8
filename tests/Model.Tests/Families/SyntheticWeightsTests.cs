using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Tests.Layers;
using Xunit;

namespace Troupe.Model.Tests.Families;

public sealed class SyntheticWeightsTests
{
    [Fact]
    public void Tensors_depend_on_seed_and_name_only()
    {
        using SyntheticWeights a = new(1), b = new(1), other = new(2);
        a.Get("unrelated", 3, 5);
        Assert.Equal(a.Get("w", 7, 9).Bytes.ToArray(), b.Get("w", 7, 9).Bytes.ToArray());
        Assert.NotEqual(a.Get("w", 7, 9).Bytes.ToArray(), other.Get("w", 7, 9).Bytes.ToArray());
        Assert.NotEqual(a.Get("w", 7, 9).Bytes.ToArray(), a.Get("v", 7, 9).Bytes.ToArray());
        Assert.Throws<ModelException>(() => a.Get("w", 9, 7));
        Assert.Equal((15 + 63 + 63) * 2, a.Bytes);
    }

    [Fact]
    public void Matrices_have_the_variance_that_keeps_hidden_states_near_one_and_norms_are_one()
    {
        using var weights = new SyntheticWeights(3);
        float[] values = new float[400 * 250], norm = new float[11];
        weights.Get("w", 400, 250).CopyTo(values);
        weights.Get("n", 11).CopyTo(norm);
        Assert.Equal(0, values.Average(), 0.001);
        Assert.Equal(1 / 250.0, values.Average(v => (double)v * v), 0.0001);
        Assert.All(norm, v => Assert.Equal(1, v));
    }

    [Fact]
    public void A_synthetic_model_runs_and_spreads_its_tokens_over_the_experts()
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("qwen3-moe"));
        using var weights = new SyntheticWeights(4);
        using var cluster = new TestCluster(weights.Get, config, TestCluster.Cpu, stages: 2, members: 2);
        cluster.Place(0, 200);
        List<float[]> logits = cluster.Feed([.. Enumerable.Range(0, 200)]);
        Assert.Equal(200, logits.Count);
        Assert.All(logits, row => Assert.InRange(row.Max() - row.Min(), 0.1f, 100));
        Assert.All(cluster.Shard(1, 0).Load.Of(new LayerIndex(2)).ToArray(), count => Assert.InRange(count, 1, 199));
    }

    [Fact]
    public void Layers_with_a_shared_expert_and_dense_ones_may_take_turns()
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("qwen2-moe")) with { DenseLayers = [1] };
        using var weights = new SyntheticWeights(5);
        using TestCluster cpu = new(weights.Get, config, TestCluster.Cpu, members: 2);
        using TestCluster reference = new(weights.Get, config, TestCluster.Reference);
        cpu.Place(0, 30);
        reference.Place(0, 30);
        int[] prompt = [.. Enumerable.Range(7, 30)];
        foreach ((float[] got, float[] wanted) in cpu.Feed(prompt).Zip(reference.Feed(prompt)))
            for (int v = 0; v < wanted.Length; v++) Assert.Equal(wanted[v], got[v], 1e-3f);
        Assert.Equal(0, cpu.Shard(0, 0).Load.Of(new LayerIndex(1)).ToArray().Sum());
    }
}
