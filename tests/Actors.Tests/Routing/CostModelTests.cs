using System.Numerics;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class CostModelTests
{
    private const int Hidden = 2048, TopK = 8, Bytes = 2;

    public static TheoryData<Strategy> EveryStrategy() => [.. Enum.GetValues<Strategy>()];

    [Theory]
    [InlineData(6, 2, 3)]
    [InlineData(8, 8, 2)]
    [InlineData(12, 1, 4)]
    [InlineData(10, 3, 2)]
    public void The_share_of_tokens_that_need_a_rank_is_counted_over_all_choices_of_experts(int experts, int topK, int ranks)
    {
        int held = (1 << (experts / ranks)) - 1, all = 0, hit = 0; // experts as bits, the first E / R on rank 0
        for (int chosen = 0; chosen < 1 << experts; chosen++)
        {
            if (BitOperations.PopCount((uint)chosen) != topK) continue;
            all++;
            if ((chosen & held) != 0) hit++;
        }
        var shape = new StepShape(ranks, 0, 0, 4, topK, 2, 1) { Experts = experts };
        Assert.Equal((double)hit / all, shape.HitShare(), 1e-12);
    }

    [Fact]
    public void A_token_needs_every_rank_where_experts_are_unknown_and_one_where_it_has_a_single_expert()
    {
        Assert.Equal(1, (Even(4, 1) with { Experts = 0 }).HitShare());
        Assert.Equal(0.25, (Even(4, 1) with { TopK = 1, Experts = 64 }).HitShare(), 1e-12);
        Assert.Equal(1, (Even(4, 1) with { TopK = 64, Experts = 64 }).HitShare(), 1e-12);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Payload_bytes_per_local_token_are_those_of_the_design(int ranks)
    {
        const double Row = Hidden * Bytes;
        double hitRanks = ranks * Even(ranks, 1).HitShare(); // D
        (double Out, double Back) gathered = PerToken(Strategy.AllGatherReduceScatter, ranks);
        Assert.Equal((ranks - 1) * (Row + 8 * TopK), gathered.Out, 1e-6);
        Assert.Equal((ranks - 1) * Row, gathered.Back, 1e-6);
        foreach (Strategy strategy in (Strategy[])[Strategy.HighThroughput, Strategy.LowLatency])
        {
            (double Out, double Back) sparse = PerToken(strategy, ranks);
            Assert.Equal(hitRanks * (ranks - 1) / ranks * (Row + 12 * TopK + 16), sparse.Out, 1e-6);
            Assert.Equal(hitRanks * (ranks - 1) / ranks * Row, sparse.Back, 1e-6);
        }
    }

    [Fact]
    public void Messages_and_flags_are_those_of_the_strategy()
    {
        StepShape shape = Even(4, 64) with { TopK = 64 }; // every token needs every rank
        (double Messages, double Flags) Dispatch(Strategy strategy)
        {
            LinkWork mapped = CostModel.WorkOf(strategy, shape, 1).Dispatch.Mapped;
            return (mapped.Messages, mapped.Flags);
        }
        Assert.Equal((3, 0), Dispatch(Strategy.AllGatherReduceScatter));
        Assert.Equal((6, 0), Dispatch(Strategy.HighThroughput));
        Assert.Equal((3, 0), Dispatch(Strategy.LowLatency));
        Assert.Equal((0, 3), Dispatch(Strategy.PeerMapped));
        Assert.Equal((0, 3), Dispatch(Strategy.Workspace));
        Assert.Equal((12, 3), Dispatch(Strategy.Fused)); // a header and four tiles to each of three
    }

    [Fact]
    public void Hierarchical_sends_each_row_once_to_a_host_and_the_others_once_to_a_rank()
    {
        StepShape shape = Even(4, 16) with { HostOf = [0, 0, 1, 1], Mapping = Mapping.SameHost };
        double Between(Strategy strategy) => CostModel.WorkOf(strategy, shape, 2) is var work
            ? work.Dispatch.Tcp.Bytes + work.Combine.Tcp.Bytes : 0;
        double ratio = Between(Strategy.Hierarchical) / Between(Strategy.LowLatency);
        Assert.Equal(shape.HitShare(2) / (2 * shape.HitShare()), ratio, 0.01);
        Assert.True(CostModel.WorkOf(Strategy.Hierarchical, shape, 2).Dispatch.Mapped.Bytes > 0); // forwarded inside the host
    }

    [Theory]
    [MemberData(nameof(EveryStrategy))]
    public void Predictions_are_finite_and_grow_with_rows_layers_and_the_width_of_a_row(Strategy strategy)
    {
        foreach (int ranks in (int[])[2, 3, 4, 8])
        {
            foreach (Mapping mapping in Enum.GetValues<Mapping>())
            {
                StepShape shape = Even(ranks, 8) with { Mapping = mapping, HostOf = [.. Enumerable.Range(0, ranks).Select(r => r % 2)] };
                double base_ = CostModel.Guess.Predict(strategy, shape);
                Assert.True(double.IsFinite(base_) && base_ > 0, $"{strategy}, {ranks} ranks, {mapping}: {base_}");
                Assert.True(CostModel.Guess.Predict(strategy, shape.WithRows([.. shape.RowsOf.Select(r => 2 * r)])) > base_);
                Assert.True(CostModel.Guess.Predict(strategy, shape with { Hidden = 2 * Hidden }) > base_);
                Assert.Equal(2 * base_, CostModel.Guess.Predict(strategy, shape with { MoeLayers = 2 * shape.MoeLayers }), base_ * 1e-9);
            }
        }
    }

    [Theory]
    [MemberData(nameof(EveryStrategy))]
    public void A_group_of_one_exchanges_nothing_and_no_rows_still_cost_headers(Strategy strategy)
    {
        Assert.Equal(0, CostModel.Guess.Predict(strategy, Even(1, 100)));
        Assert.True(CostModel.Guess.Predict(strategy, Even(4, 0)) > 0);
    }

    [Theory]
    [MemberData(nameof(EveryStrategy))]
    public void Eight_equal_ranks_on_two_cores_take_four_times_as_long_as_on_eight(Strategy strategy)
    {
        StepShape shape = Even(8, 4);
        double wide = new CostModel(LinkTable.Guess, Cores: 8).Predict(strategy, shape);
        Assert.Equal(4 * wide, new CostModel(LinkTable.Guess, Cores: 2).Predict(strategy, shape), wide * 1e-9);
    }

    [Theory]
    [MemberData(nameof(EveryStrategy))]
    public void The_slowest_rank_decides_so_the_same_rows_on_one_side_take_longer(Strategy strategy)
    {
        double even = CostModel.Guess.Predict(strategy, Even(4, 256));
        Assert.True(CostModel.Guess.Predict(strategy, Even(4, 0).WithRows([1024, 0, 0, 0])) > even);
    }

    [Fact]
    public void Few_rows_are_decided_by_messages_and_many_by_bytes()
    {
        CostModel model = CostModel.Guess;
        StepShape one = Even(8, 1) with { TopK = 2, Mapping = Mapping.Nobody, Experts = 256 };
        Assert.True(model.Predict(Strategy.AllGatherReduceScatter, one) < model.Predict(Strategy.HighThroughput, one));
        StepShape many = one.WithRows([.. Enumerable.Repeat(2048, 8)]);
        Assert.True(model.Predict(Strategy.HighThroughput, many) < model.Predict(Strategy.AllGatherReduceScatter, many));
    }

    [Fact]
    public void The_table_of_a_group_takes_medians_and_leaves_out_what_is_missing_or_no_cost()
    {
        static LinkConstants Of(double us) => new(us, us, us, us, us);
        LinkTable table = LinkTable.From(
        [
            new LinkCalibration(Of(1), Of(2), null), new LinkCalibration(Of(3), Of(double.NaN), null),
            new LinkCalibration(Of(1000), null, null), new LinkCalibration(Of(-1), Of(4), null),
        ]);
        Assert.Equal(Of(3), table.Self);
        Assert.Equal(Of(3), table.Mapped);
        Assert.Equal(LinkTable.Guess.Tcp, table.Tcp);
        Assert.Equal(LinkTable.Guess, LinkTable.From([]));
    }

    [Fact]
    public void Rows_of_replicas_are_shared_by_their_tensor_ranks_and_unknown_rows_by_the_ranks_that_are_left()
    {
        StepShape shape = Even(4, 0).WithReplicas([5, 2]);
        Assert.Equal((int[])[2, 3, 1, 1], shape.RowsOf.ToArray());
        Assert.Equal((7, 3), (shape.Rows, shape.MaxRows));
        // What a shard does is what the router takes it to do.
        ModelConfig config = ModelConfig.Load(Repository.At("tests", "goldens", "models", "qwen3-moe-mixed"));
        for (int rows = 0; rows < 20; rows++)
        {
            Assert.Equal(Even(6, 0).WithReplicas([rows, rows]).RowsOf.ToArray(),
                Enumerable.Range(0, 6).Select(member => TensorSplit.Of(config, member % 3, 3).OwnRows(rows).Count));
        }
        StepShape unknown = Even(3, 0) with { RowsOf = [], Rows = 9, MaxRows = 4 };
        Assert.Equal([4, 3, 2], Enumerable.Range(0, 3).Select(unknown.RowsAt));
    }

    private static (double Out, double Back) PerToken(Strategy strategy, int ranks)
    {
        const int Fewer = 8, More = 24; // headers cancel
        MemberWork few = CostModel.WorkOf(strategy, Even(ranks, Fewer), 0), many = CostModel.WorkOf(strategy, Even(ranks, More), 0);
        return ((many.Dispatch.BytesToOthers - few.Dispatch.BytesToOthers) / (More - Fewer),
            (many.Combine.BytesToOthers - few.Combine.BytesToOthers) / (More - Fewer));
    }

    private static StepShape Even(int ranks, int rows) => new StepShape(ranks, 0, 0, Hidden, TopK, Bytes, 24) { Experts = 64 }
        .WithRows([.. Enumerable.Repeat(rows, ranks)]);
}
