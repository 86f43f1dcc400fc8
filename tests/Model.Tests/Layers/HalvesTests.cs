using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Layers;

/// <summary>A step whose rows go to their experts in two halves ends in the same bits as one whose rows go together.</summary>
public sealed class HalvesTests
{
    private const int Members = 3;

    public static TheoryData<string, Strategy> Cases
    {
        get
        {
            var cases = new TheoryData<string, Strategy>();
            foreach (string model in (string[])["qwen3-moe-mixed", "qwen2-moe"])
                foreach (Strategy strategy in Strategies.Available) cases.Add(model, strategy);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Halves_change_no_bit(string model, Strategy strategy)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        var exchange = new Exchange(strategy, new Hosts(["a", "a", "b"]));
        using TestCluster whole = Cluster(exchange), halves = Cluster(exchange with { Halves = true });
        Random random = Seed.For($"{nameof(Halves_change_no_bit)} {model}");
        // Ranks with many rows, one and none; then a step of either kind right after the other.
        foreach (int[] rows in (int[][])[[40, 1, 0], [0, 0, 0], [2, 70, 33], [1, 1, 1]])
        {
            int[][] tokens = [.. rows.Select(n => Enumerable.Range(0, n).Select(_ => random.Next(checkpoint.Config.VocabSize)).ToArray())];
            Fill(whole, tokens);
            Fill(halves, tokens);
            whole.Step();
            halves.Step();
            for (int member = 0; member < Members; member++)
                for (int row = 0; row < rows[member]; row++)
                    Assert.True(whole.Logits(row, member).AsSpan().SequenceEqual(halves.Logits(row, member)), $"row {row} of {member}");
            halves.InHalves = !halves.InHalves;
            Fill(halves, tokens);
            halves.Step();
            halves.InHalves = !halves.InHalves;
        }

        TestCluster Cluster(Exchange how)
        {
            var cluster = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, members: Members, exchange: how);
            for (int member = 0; member < Members; member++) cluster.Place(0, 100, member);
            return cluster;
        }
    }

    [Fact]
    public void Both_halves_are_counted_in_the_expert_load()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder("qwen2-moe"));
        var exchange = new Exchange(Strategy.LowLatency, Hosts.One(2)) { Halves = true };
        using var cluster = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, members: 2, exchange: exchange);
        cluster.Place(0, 16);
        cluster.Feed([5, 6, 7, 8, 9]);
        Assert.Equal(5 * 2, cluster.Shard(0, 0).Load.Of(new LayerIndex(1)).ToArray().Sum());
    }

    private static void Fill(TestCluster cluster, int[][] tokens)
    {
        for (int member = 0; member < Members; member++)
        {
            cluster.Rows(member).Clear();
            for (int i = 0; i < tokens[member].Length; i++) cluster.Rows(member).Add(tokens[member][i], i, 0);
        }
    }
}
