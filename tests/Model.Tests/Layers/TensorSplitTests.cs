using Troupe.Devices.All2All;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Xunit;

namespace Troupe.Model.Tests.Layers;

public sealed class TensorSplitTests
{
    [Theory]
    [InlineData("qwen3-moe", 1)]
    [InlineData("qwen3-moe", 2)]
    [InlineData("qwen3-moe", 4)]
    [InlineData("qwen3-moe-mixed", 2)]
    [InlineData("qwen3-moe-mixed", 3)]
    [InlineData("qwen3-moe-mixed", 6)]
    [InlineData("qwen2-moe", 2)]
    [InlineData("qwen3", 4)]
    public void Every_head_value_and_vocabulary_entry_is_on_one_rank_and_key_heads_are_where_they_are_read(string model, int ranks)
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder(model));
        TensorSplit[] splits = [.. Enumerable.Range(0, ranks).Select(rank => TensorSplit.Of(config, rank, ranks))];
        Assert.Equal(Enumerable.Range(0, config.Heads), All(s => s.Heads));
        Assert.Equal(Enumerable.Range(0, config.IntermediateSize), All(s => s.Inner));
        Assert.Equal(Enumerable.Range(0, config.VocabSize), All(s => s.Vocabulary));
        Assert.All(splits, s => Assert.Equal(config.Heads / ranks, s.Heads.Count));
        foreach (TensorSplit split in splits)
        {
            int[] read = [.. Enumerable.Range(split.Heads.First, split.Heads.Count).Select(h => h / (config.Heads / config.KvHeads))];
            Assert.Equal(read.Distinct(), Enumerable.Range(split.KvHeads.First, split.KvHeads.Count));
            Assert.Equal(read, Enumerable.Range(0, split.Heads.Count).Select(h => split.KvHeads.First + split.Groups.KvHeadOf(h)));
        }

        IEnumerable<int> All(Func<TensorSplit, Part> part) => splits.SelectMany(s => Enumerable.Range(part(s).First, part(s).Count));
    }

    [Fact]
    public void Six_query_heads_of_three_key_heads_on_two_ranks_share_the_middle_key_head()
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("qwen3-moe-mixed"));
        (TensorSplit a, TensorSplit b) = (TensorSplit.Of(config, 0, 2), TensorSplit.Of(config, 1, 2));
        Assert.Equal((new Part(0, 3), new Part(0, 2), new HeadGroups(2)), (a.Heads, a.KvHeads, a.Groups));
        Assert.Equal((new Part(3, 3), new Part(1, 2), new HeadGroups(2, Lacking: 1)), (b.Heads, b.KvHeads, b.Groups));
        Assert.Equal((new Part(0, 166), new Part(166, 165)), (a.Vocabulary, b.Vocabulary));
    }

    [Theory]
    [InlineData("qwen3-moe-mixed", 6, 3, 2)]
    [InlineData("qwen2-moe", 6, 2, 3)] // the middle rank reads both key heads, the others one each
    [InlineData("qwen3", 8, 1, 4)]
    public void What_several_ranks_read_of_a_tensor_counts_once_and_all_of_them_read_the_whole(string model, int heads, int kv, int ranks)
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder(model)) with { Heads = heads, KvHeads = kv };
        var placement = ExpertPlacement.Blocks(config.Experts, ranks);
        ShardSpec[] parts = [.. Enumerable.Range(0, ranks).Select(rank => ShardSpec.Of(config, 0, 1, placement, rank, ranks))];
        long whole = Bytes(ShardSpec.Whole(config));
        Assert.Equal(whole, Bytes(parts));
        Assert.Equal(whole, Bytes([.. parts[1..], parts[0], parts[1]]));
        Assert.Equal(Bytes(parts[0]), Bytes(parts[0], parts[0]));
        Assert.InRange(Bytes(parts[0], parts[^1]), Math.Max(Bytes(parts[0]), Bytes(parts[^1])) + 1, whole);

        long Bytes(params ShardSpec[] specs) => ShardWeights.Bytes(ShardWeights.Outline(config), config, specs);
    }

    [Theory]
    [InlineData(6, 128, 331, 4, "the model's 6 query heads do not divide over 4 tensor ranks (6 mod 4 = 2); use 1, 2, 3 or 6")]
    [InlineData(8, 128, 3, 4, "4 tensor ranks for 3 vocabulary entries")]
    [InlineData(8, 2, 331, 4, "4 tensor ranks for 2 values in a feed-forward")]
    [InlineData(8, 0, 331, 4, null)]
    public void What_cannot_be_split_is_refused_with_the_arithmetic(int heads, int inner, int vocabulary, int ranks, string? problem)
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("qwen3-moe-mixed")) with
        {
            Heads = heads, KvHeads = 2, IntermediateSize = inner, VocabSize = vocabulary,
        };
        if (problem is null) Assert.Null(TensorSplit.Problem(config, ranks));
        else Assert.Contains(problem, TensorSplit.Problem(config, ranks));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(512)]
    public void Each_row_belongs_to_one_rank_and_no_rank_has_two_more_than_another(int rows)
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("qwen3-moe-mixed"));
        foreach (int ranks in (int[])[1, 2, 3, 6])
        {
            Part[] own = [.. Enumerable.Range(0, ranks).Select(rank => TensorSplit.Of(config, rank, ranks).OwnRows(rows))];
            Assert.Equal(Enumerable.Range(0, rows), own.SelectMany(part => Enumerable.Range(part.First, part.Count)));
            Assert.InRange(own.Max(part => part.Count) - own.Min(part => part.Count), 0, 1);
            Assert.Equal(ShardOptions.MostOwnRows(rows, ranks), own.Max(part => part.Count));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void A_shard_touches_its_own_part_of_each_weight(int ranks)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
        using var device = new CpuDevice(1);
        ModelConfig c = checkpoint.Config;
        var placement = ExpertPlacement.Blocks(c.Experts, ranks);
        long whole = 0, held = 0;
        using (ModelShard shard = Make(0, 1, ExpertPlacement.Blocks(c.Experts, 1))) whole = shard.WeightBytes;
        for (int rank = 0; rank < ranks; rank++)
        {
            using ModelShard shard = Make(rank, ranks, placement);
            held += shard.WeightBytes;
            Assert.Equal(shard.Spec.Split.KvHeads.Count, shard.Cache.Shape.Heads);
        }
        // Twice or more are: norms (2 of H, 2 of D) and key and value heads that two ranks read; and the router where there is one.
        int again = Enumerable.Range(0, ranks).Sum(r => TensorSplit.Of(c, r, ranks).KvHeads.Count) - c.KvHeads;
        long copies = (ranks - 1) * (c.HiddenSize + c.Layers * (2L * c.HiddenSize + 2 * c.HeadDim) + (long)c.Experts * c.HiddenSize)
            + 2L * again * c.HeadDim * c.HiddenSize * c.Layers;
        Assert.Equal(whole + 2 * copies, held);

        ModelShard Make(int member, int tensor, ExpertPlacement placement) => ModelShard.Create(checkpoint.Get, c,
            ShardSpec.Of(c, 0, 1, placement, member, tensor), device, new ShardOptions { KvBlocks = 4, MaxRows = 8, GroupSize = tensor });
    }
}
