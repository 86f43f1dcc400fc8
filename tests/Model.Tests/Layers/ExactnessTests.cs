using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Layers;

/// <summary>
/// A row's logits are the same bits whatever shares its step, however its prompt is cut, and however many threads work on it.
/// </summary>
public sealed class ExactnessTests : IDisposable
{
    private readonly Checkpoint _checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
    private readonly int[] _prompt;

    public ExactnessTests()
    {
        Random random = Seed.For(nameof(ExactnessTests));
        _prompt = [.. Enumerable.Range(0, 150).Select(_ => random.Next(_checkpoint.Config.VocabSize))];
    }

    public void Dispose() => _checkpoint.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(64)]
    [InlineData(149)]
    public void A_prompt_in_chunks_gives_the_same_bits(int chunk)
    {
        using TestCluster whole = Cluster(), cut = Cluster();
        whole.Place(0, _prompt.Length);
        cut.Place(3, _prompt.Length);
        Same(whole.Feed(_prompt), cut.Feed(_prompt, slot: 3, chunk: chunk));
    }

    [Theory]
    [InlineData("olmoe")]
    [InlineData("mixtral")]
    [InlineData("deepseek-v2-lite")]
    [InlineData("deepseek-v3")]
    [InlineData("glm4-moe")]
    [InlineData("gpt-oss")]
    [InlineData("gpt-oss-mxfp4")]
    [InlineData("qwen3-moe-fp8")]
    public void In_every_family_chunks_threads_stages_and_company_change_no_bit(string model)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        using TestCluster whole = new(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, members: 2);
        using TestCluster cut = new(checkpoint.Get, checkpoint.Config, TestCluster.CpuTwoThreads, stages: 2, members: 2);
        whole.Place(0, 100, member: 1);
        cut.Place(1, 100, member: 1);
        int[] prompt = [.. _prompt.Take(100).Select(token => token % checkpoint.Config.VocabSize)];
        List<float[]> wanted = whole.Feed(prompt, member: 1);
        Same(wanted, cut.Feed(prompt, slot: 1, chunk: 37, member: 1));
        // Once more, one row at a time among others.
        for (int member = 0; member < 2; member++) cut.Place(2, 100, member);
        cut.Place(3, 100, member: 1);
        for (int i = 0; i < 60; i++)
        {
            for (int member = 0; member < 2; member++) cut.Rows(member).Clear();
            cut.Rows(0).Add(prompt[99 - i], i, 2);
            cut.Rows(1).Add(prompt[50 - i / 2], i, 2);
            cut.Rows(1).Add(prompt[i], i, 3);
            cut.Step();
            Assert.True(wanted[i].AsSpan().SequenceEqual(cut.Logits(1, member: 1)), $"row {i} differs");
        }
    }

    [Fact]
    public void Bf16_keys_and_values_are_exact_by_chunk_too()
    {
        using TestCluster whole = Cluster(kv: ElementType.BF16), cut = Cluster(kv: ElementType.BF16), full = Cluster();
        foreach (TestCluster cluster in (TestCluster[])[whole, cut, full]) cluster.Place(0, _prompt.Length);
        List<float[]> logits = whole.Feed(_prompt);
        Same(logits, cut.Feed(_prompt, chunk: 13));
        Assert.NotEqual(full.Feed(_prompt)[^1], logits[^1]);
    }

    [Theory]
    [InlineData(2, 1, 1)]
    [InlineData(1, 3, 1)]
    [InlineData(1, 1, 3)]
    public void Threads_and_stages_change_no_bit(int threads, int stages, int repeats)
    {
        using TestCluster one = Cluster(), other = new(_checkpoint.Get, _checkpoint.Config,
            () => new Devices.Kernels.Cpu.CpuDevice(threads), stages);
        one.Place(0, _prompt.Length);
        other.Place(0, _prompt.Length);
        List<float[]> logits = one.Feed(_prompt);
        for (int i = 0; i < repeats; i++) Same(logits, other.Feed(_prompt));
    }

    [Fact]
    public void A_batch_gives_each_request_the_bits_it_has_alone()
    {
        using TestCluster alone = Cluster(), together = Cluster();
        int[][] prompts = [_prompt[..1], _prompt[1..40], _prompt[40..43], _prompt[43..]];
        for (int slot = 0; slot < prompts.Length; slot++)
        {
            alone.Place(slot, prompts[slot].Length);
            together.Place(slot, prompts[slot].Length);
        }
        List<float[]> wanted = [.. prompts.SelectMany((prompt, slot) => alone.Feed(prompt, slot: slot))];

        together.Rows().Clear();
        for (int slot = 0; slot < prompts.Length; slot++)
            for (int i = 0; i < prompts[slot].Length; i++) together.Rows().Add(prompts[slot][i], i, slot);
        together.Step();
        Same(wanted, [.. Enumerable.Range(0, together.Rows().Count).Select(row => together.Logits(row))]);
    }

    [Fact]
    public void Members_that_share_experts_do_not_disturb_each_other()
    {
        using TestCluster alone = new(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu, members: 3);
        using TestCluster busy = new(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu, members: 3);
        alone.Place(0, 50, member: 1);
        List<float[]> wanted = alone.Feed(_prompt.AsSpan(0, 50), member: 1);
        for (int member = 0; member < 3; member++)
        {
            busy.Place(0, 50, member);
            for (int i = 0; i < 50; i++) busy.Rows(member).Add(_prompt[member == 1 ? i : (member * 31 + i) % 150], i, 0);
        }
        busy.Step();
        Same(wanted, [.. Enumerable.Range(0, 50).Select(row => busy.Logits(row, member: 1))]);
    }

    private TestCluster Cluster(ElementType kv = ElementType.F32) => new(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu, kv: kv);

    private static void Same(List<float[]> wanted, List<float[]> got)
    {
        Assert.Equal(wanted.Count, got.Count);
        for (int row = 0; row < wanted.Count; row++)
            Assert.True(wanted[row].AsSpan().SequenceEqual(got[row]), $"row {row} differs");
    }
}
