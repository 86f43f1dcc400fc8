using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Layers;

/// <summary>Tensor ranks that share each layer say what one rank says.</summary>
public sealed class TensorTests
{
    private const float Tolerance = 1e-3f;

    [Theory]
    [InlineData("qwen3-moe-mixed", 1, 1, 2, 512)]
    [InlineData("qwen3-moe-mixed", 2, 1, 3, 17)]
    [InlineData("qwen3-moe-mixed", 1, 2, 2, 31)]
    [InlineData("qwen2-moe", 1, 1, 2, 64)]
    [InlineData("qwen3", 2, 1, 4, 64)]
    public void Drawn_prompts_in_chunks_get_the_logits_of_one_rank(string model, int stages, int members, int tensor, int chunk)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        Random random = Seed.For($"{nameof(Drawn_prompts_in_chunks_get_the_logits_of_one_rank)} {model}");
        using var one = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu);
        using var split = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, stages, members, tensor: tensor);
        for (int slot = 0; slot < 3; slot++)
        {
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, 140)).Select(_ => random.Next(checkpoint.Config.VocabSize))];
            one.Place(slot, prompt.Length);
            split.Place(slot, prompt.Length, members - 1);
            List<float[]> want = one.Feed(prompt, slot: slot), got = split.Feed(prompt, slot: slot, chunk: chunk, member: members - 1);
            Assert.Equal(want.Count, got.Count);
            for (int row = 0; row < want.Count; row++)
                for (int v = 0; v < want[row].Length; v++) Assert.Equal(want[row][v], got[row][v], Tolerance);
        }
    }

    [Fact]
    public void All_tensor_ranks_have_the_same_bits_on_every_run_and_however_a_prompt_is_cut()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
        int[] prompt = [.. Enumerable.Range(0, 90).Select(i => i * 7 % checkpoint.Config.VocabSize)];
        List<float[]> first = Run(512), again = Run(512), cut = Run(13);
        for (int row = 0; row < first.Count; row++)
        {
            Assert.True(first[row].AsSpan().SequenceEqual(again[row]), $"row {row} differs between two runs");
            Assert.True(first[row].AsSpan().SequenceEqual(cut[row]), $"row {row} differs in chunks");
        }

        List<float[]> Run(int chunk)
        {
            using var cluster = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, tensor: 3);
            cluster.Place(0, prompt.Length);
            List<float[]> logits = cluster.Feed(prompt, chunk: chunk);
            for (int rank = 1; rank < 3; rank++)
                Assert.True(cluster.Hidden().SequenceEqual(cluster.Hidden(tensorRank: rank)), $"tensor rank {rank} differs");
            return logits;
        }
    }

    [Theory]
    [InlineData(Strategy.AllGatherReduceScatter, false)]
    [InlineData(Strategy.HighThroughput, true)]
    [InlineData(Strategy.LowLatency, false)]
    [InlineData(Strategy.Workspace, true)]
    [InlineData(Strategy.Fused, false)]
    public void Every_row_goes_to_its_experts_from_one_tensor_rank_only(Strategy strategy, bool halves)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder("qwen2-moe"));
        var exchange = new Exchange(strategy, Hosts.One(4)) { Halves = halves };
        using var cluster =
            new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, members: 2, exchange: exchange, tensor: 2);
        cluster.Place(0, 16, member: 1);
        cluster.Feed([5, 6, 7, 8, 9], member: 1);
        long[] load = [.. Enumerable.Range(0, 4).Select(rank => cluster.Load(0, rank, new LayerIndex(1)))];
        Assert.Equal([0, 0, 2 * 2, 3 * 2], load); // 2 experts for each token
    }

    [Fact]
    public void Sums_and_gathers_are_a_phase_of_their_own_that_no_exchange_is_charged_with()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
        using var cluster = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, tensor: 2);
        var heard = new List<StepPoint>();
        cluster.Observer = new Listener(point =>
        {
            lock (heard) heard.Add(point);
        });
        cluster.Place(0, 16);
        cluster.Feed([5, 6]);
        Assert.Equal(2 * 2 * checkpoint.Config.Layers, heard.Count(p => p.Phase == StepPhase.Tensor));
    }

    private sealed class Listener(Action<StepPoint> hears) : IStepObserver
    {
        public void At(StepPoint point, StepActivity activity) => hears(point);

        public void Note(long amount, int detail = 0)
        {
        }
    }
}
