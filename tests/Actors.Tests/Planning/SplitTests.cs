using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Planning;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class SplitTests
{
    private static readonly ModelConfig s_sample = ModelConfig.Load(Repository.At("models", "sample"));

    [Fact]
    public void The_head_of_the_sample_weighs_as_much_as_two_layers()
    {
        // H 256, 8 heads and 2 key-value heads of 32, 16 experts of which 4 of 96 columns, V 4096.
        long layer = (256 * 256 * 2) + (256 * 64 * 2) + (2 * 32) + (2 * 256) + (16 * 256) + (4 * 3 * 256 * 96);
        Assert.Equal(layer, ActiveWeights.Layer(s_sample, new LayerIndex(0)));
        Assert.Equal((4096 * 256) + 256, ActiveWeights.Head(s_sample));
        Assert.Equal(new LayerSplit(4, 2), ActiveWeights.Split(s_sample, 2));
        Assert.Equal(ActiveWeights.Values(s_sample),
            Enumerable.Range(0, 2).Sum(stage => ActiveWeights.Stage(s_sample, new LayerSplit(4, 2), stage)));
    }

    [Fact]
    public void Dense_layers_weigh_what_their_feed_forward_does()
    {
        ModelConfig model = s_sample with { DenseLayers = [0, 1], IntermediateSize = 16 * 96 };
        Assert.Equal(3L * 256 * ((16 - 4) * 96) - (16 * 256),
            ActiveWeights.Layer(model, new LayerIndex(0)) - ActiveWeights.Layer(model, new LayerIndex(2)));
        // Two dense layers of 1.3 M against four of 0.5 M and a head of 1 M.
        Assert.Equal(new LayerSplit(2, 4), ActiveWeights.Split(model, 2));
    }

    [Fact]
    public void Nodes_compare_the_split_they_come_to()
    {
        Assert.Equal("2 stages x 1 replicas x 1 tensor ranks with layers 4+2", Print(null));
        Assert.Equal(Print(null), Print(new LayerSplit(4, 2)));
        Assert.Equal("2 stages x 1 replicas x 1 tensor ranks with layers 3+3", Print(new LayerSplit(3, 3)));

        static string Print(LayerSplit? split) => ClusterPlan.Make(TroupeOptions.Default with { Layout = new(2, 1, 1), Split = split },
            ModelSource.FromFolder(Repository.At("models", "sample"))).Fingerprint.Layout;
    }

    [Fact]
    public void Measured_times_split_in_place_of_parameters()
    {
        LayerProfile profile = LayerProfile.Parse("p", """{"layer_us": [1, 1, 1, 1, 5, 5], "embedding_us": 0.5, "head_us": 2}""", 6);
        Assert.Equal(new LayerSplit(5, 1), profile.Split(2));
        PlanReport plan = Planner.Make(PlannerTests.Request(2, 1) with { Profile = profile });
        Assert.Equal([5, 1], plan.Split);
        Assert.Equal("profile", plan.SplitBy);
        Assert.Equal("hand", (PlannerTests.Request(2, 1, hocon: "troupe.layout.split = \"3,3\"") with { Profile = profile }).SplitBy);
    }

    [Theory]
    [InlineData("""{"layer_us": [1, 2]}""", "p: layer_us has 2 times, but the model has 6 layers")]
    [InlineData("{}", "p: layer_us has 0 times, but the model has 6 layers")]
    [InlineData("null", "p: layer_us has 0 times, but the model has 6 layers")]
    [InlineData("""{"layer_us": [1, 1, 1, 1, 1, -1]}""", "p: a time must be in [0, 1000000000] microseconds, got -1")]
    [InlineData("[", "p: a profile is {\"layer_us\": [...], \"embedding_us\": X, \"head_us\": X}: ")]
    public void A_profile_that_is_none_is_refused(string json, string says) =>
        Assert.StartsWith(says, Assert.Throws<ConfigException>(() => LayerProfile.Parse("p", json, 6)).Message, StringComparison.Ordinal);
}
