using Troupe.Actors.Planning;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class TensorShareTests
{
    private static readonly ModelConfig s_mixed = ModelConfig.Load(Repository.At("tests", "goldens", "models", "qwen3-moe-mixed"));

    [Fact]
    public void Shares_have_each_query_head_once_and_the_key_value_heads_that_it_reads()
    {
        Random random = Seed.For(nameof(Shares_have_each_query_head_once_and_the_key_value_heads_that_it_reads));
        for (int round = 0; round < 200; round++)
        {
            int tensor = random.Next(1, 9), kv = random.Next(1, 9), readers = random.Next(1, 9);
            if (kv * readers % tensor != 0) continue;
            ModelConfig model = s_mixed with
            {
                Heads = kv * readers, KvHeads = kv, VocabSize = random.Next(tensor, 1000), IntermediateSize = random.Next(1000),
            };
            TensorShare[] shares = [.. Enumerable.Range(0, tensor).Select(index => TensorShare.Of(model, tensor, index))];
            Assert.Equal(Enumerable.Range(0, model.Heads), shares.SelectMany(s => Enumerable.Range(s.FirstHead, s.Heads)));
            Assert.Equal((model.VocabSize, model.IntermediateSize), (shares.Sum(s => s.Vocabulary), shares.Sum(s => s.Dense)));
            Assert.All(shares, s => Assert.InRange(s.Vocabulary, model.VocabSize / tensor, (model.VocabSize / tensor) + 1));
            foreach (TensorShare s in shares)
                Assert.Equal(Enumerable.Range(s.FirstHead, s.Heads).Select(head => head / readers).Distinct(),
                    Enumerable.Range(s.FirstKvHead, s.KvHeads));
        }
    }

    [Fact]
    public void Six_query_heads_over_three_key_value_heads_share_the_middle_one()
    {
        Assert.Equal(new TensorShare(0, 3, 0, 2, 166, 64), TensorShare.Of(s_mixed, 2, 0));
        Assert.Equal(new TensorShare(3, 3, 1, 2, 165, 64), TensorShare.Of(s_mixed, 2, 1));
    }

    [Fact]
    public void One_tensor_rank_sends_nothing_and_two_send_each_row_once_for_each_AllReduce()
    {
        var split = new LayerSplit(5);
        Assert.Equal((0.0, 0.0), TensorShare.Traffic(s_mixed, split, 0, 1, 7, 7));
        // Layers 1 alone of 5 is MoE (every second, but not 3): 5 attentions, 4 dense, 1 embedding; one gather; 2 rows of 96, 1 of logits.
        (double bytes, double messages) = TensorShare.Traffic(s_mixed, split, 0, 2, 2, 1);
        Assert.Equal((((5 + 4 + 1) * 2 * 96) + (2 * 96 / 2) + (331 / 2.0)) * sizeof(float), bytes);
        Assert.Equal((2 * 10) + 1 + 1, messages);
    }
}
