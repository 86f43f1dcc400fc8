using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Layers;

/// <summary>Models whose matrices are turned into another type as they are loaded, and fast ones.</summary>
public sealed class KeptWeightsTests : IDisposable
{
    private readonly Checkpoint _checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
    private readonly int[] _prompt;

    public KeptWeightsTests()
    {
        Random random = Seed.For(nameof(KeptWeightsTests));
        _prompt = [.. Enumerable.Range(0, 120).Select(_ => random.Next(_checkpoint.Config.VocabSize))];
    }

    public void Dispose() => _checkpoint.Dispose();

    // The logits of this small random model change a lot where a row is routed otherwise; a trained model's perplexity says more.
    [Theory]
    [InlineData(ElementType.BF16, 0.002)]
    [InlineData(ElementType.Int8, 0.1)]
    [InlineData(ElementType.Int4, 0.7)]
    public void Fewer_bits_give_nearly_the_same_logits_from_less_memory(ElementType type, double most)
    {
        using TestCluster stored = Cluster(default), kept = Cluster(new(type)), reference = new(
            _checkpoint.Get, _checkpoint.Config, TestCluster.Reference, weights: new(type));
        foreach (TestCluster cluster in (TestCluster[])[stored, kept, reference]) cluster.Place(0, _prompt.Length);
        List<float[]> wanted = stored.Feed(_prompt), got = kept.Feed(_prompt);
        Assert.InRange(Error(wanted, got), 0, most);
        // Routing may tip over where experts are near a tie, so the reference is compared at the first row alone.
        Assert.InRange(Error([reference.Feed(_prompt.AsSpan(0, 1))[0]], [got[0]]), 0, 1e-3);
        if (type != ElementType.BF16) Assert.True(kept.Shard(0, 0).WeightBytes < stored.Shard(0, 0).WeightBytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.Int8)]
    [InlineData(ElementType.Int4)]
    public void A_fast_model_gives_each_request_the_bits_it_has_alone_and_in_chunks(ElementType? type)
    {
        var form = new WeightForm(type, CpuDevice.MultipliesBf16);
        using TestCluster alone = Cluster(form, threads: 2), together = Cluster(form);
        int[][] prompts = [_prompt[..1], _prompt[1..40], _prompt[40..43], _prompt[43..]];
        for (int slot = 0; slot < prompts.Length; slot++)
        {
            alone.Place(slot, prompts[slot].Length);
            together.Place(slot, prompts[slot].Length);
        }
        List<float[]> wanted = [.. prompts.SelectMany((prompt, slot) => alone.Feed(prompt, slot: slot, chunk: 17))];
        together.Rows().Clear();
        for (int slot = 0; slot < prompts.Length; slot++)
            for (int i = 0; i < prompts[slot].Length; i++) together.Rows().Add(prompts[slot][i], i, slot);
        together.Step();
        for (int row = 0; row < wanted.Count; row++) Assert.True(wanted[row].AsSpan().SequenceEqual(together.Logits(row)), $"row {row}");
    }

    [Fact]
    public void A_fast_model_is_near_an_exact_one_and_a_small_one_stays_exact()
    {
        ModelConfig wide = ModelConfig.Parse("config.json", """
            {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 384, "num_hidden_layers": 2, "num_attention_heads": 6,
             "num_key_value_heads": 3, "head_dim": 64, "intermediate_size": 512, "vocab_size": 331, "max_position_embeddings": 256}
            """u8.ToArray());
        using var weights = new SyntheticWeights(7);
        using TestCluster exact = new(weights.Get, wide, TestCluster.Cpu);
        using TestCluster fast = new(weights.Get, wide, TestCluster.Cpu, weights: WeightForm.Of(null, fast: true, wide));
        foreach (TestCluster cluster in (TestCluster[])[exact, fast]) cluster.Place(0, _prompt.Length);
        Assert.InRange(Error(exact.Feed(_prompt), fast.Feed(_prompt)), CpuDevice.MultipliesBf16 ? 1e-6 : 0, 0.03);
        Assert.Equal(default, WeightForm.Of(null, fast: true, wide with { HiddenSize = 256 }));
    }

    // Root of the mean square of what differs, relative to that of what was wanted.
    private static double Error(List<float[]> wanted, List<float[]> got)
    {
        double off = 0, all = 0;
        for (int row = 0; row < wanted.Count; row++)
            for (int i = 0; i < wanted[row].Length; i++)
            {
                off += Math.Pow(wanted[row][i] - got[row][i], 2);
                all += Math.Pow(wanted[row][i], 2);
            }
        return Math.Sqrt(off / all);
    }

    private TestCluster Cluster(WeightForm form, int threads = 1)
    {
        return new TestCluster(_checkpoint.Get, _checkpoint.Config, Device, weights: form);

        IDevice Device() => new CpuDevice(threads);
    }
}
