using Troupe.Actors.Planning;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class TensorTrafficTests
{
    private static readonly ModelConfig s_mixed = ModelConfig.Load(Repository.At("tests", "goldens", "models", "qwen3-moe-mixed"));

    [Fact]
    public void Dense_layers_send_all_rows_twice_and_layers_with_experts_each_row_to_its_owner_and_back()
    {
        // Layer 1 alone of 5 is MoE (every second, but not 3): 4 dense, 1 embedding, each of 3 rows of 96; of the 3 rows in the MoE
        // layer rank 0 owns one and rank 1 two. The 331 logits are 166 and 165, and a token is 12 bytes.
        var traffic = new TensorTraffic(s_mixed, new LayerSplit(5), 2, 3, 1);
        double both = ((9 * 3) + 1 + 2) * 96 * sizeof(float);
        Assert.Equal((both + 12, 9 + 2 + 2), traffic.Between(0, 0, 1));
        Assert.Equal((both + (165 * sizeof(float)), 9 + 2 + 2), traffic.Between(0, 1, 0));
    }

    [Fact]
    public void Only_the_last_stage_has_logits_and_only_the_first_an_embedding()
    {
        var traffic = new TensorTraffic(s_mixed, new LayerSplit(1, 3, 1), 3, 1, 1);
        Assert.Equal((3 * 96.0 * sizeof(float), 3), traffic.Between(0, 2, 1));
        // The one row is the last rank's.
        Assert.Equal(((4 + 0) * 96.0 * sizeof(float), 4 + 2), traffic.Between(1, 1, 0));
        Assert.Equal(((4 + 1) * 96.0 * sizeof(float), 4 + 2), traffic.Between(1, 2, 0));
        Assert.Equal((2 * 96.0 * sizeof(float), 2 + 2), traffic.Between(2, 2, 1));
        Assert.Equal(((2 * 96.0) + 110) * sizeof(float), traffic.Between(2, 2, 0).Bytes);
    }
}
