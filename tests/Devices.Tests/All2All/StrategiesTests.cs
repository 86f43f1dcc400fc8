using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>A strategy's name never leaves a rank without a strategy.</summary>
public sealed class StrategiesTests
{
    [Fact]
    public void The_default_by_its_name_comes_without_a_warning() =>
        Assert.Equal(new Resolution(Strategy.AllGatherReduceScatter, null), Strategies.Resolve("allgather_reducescatter"));

    [Fact]
    public void The_old_name_of_the_default_works_with_a_warning()
    {
        var resolved = Strategies.Resolve("naive");
        Assert.Equal(Strategy.AllGatherReduceScatter, resolved.Use);
        Assert.Equal("strategy 'naive' is an old name, allgather_reducescatter is used: write allgather_reducescatter", resolved.Warning);
    }

    [Theory]
    [InlineData("high_throughput", "high_throughput")]
    [InlineData("deepep_high_throughput", "high_throughput")]
    [InlineData("hierarchical", "hierarchical")]
    [InlineData("deepep_internode", "hierarchical")]
    [InlineData("low_latency", "low_latency")]
    [InlineData("deepep_low_latency", "low_latency")]
    [InlineData("peer_mapped", "peer_mapped")]
    [InlineData("pplx", "peer_mapped")]
    [InlineData("workspace", "workspace")]
    [InlineData("flashinfer_all2allv", "workspace")]
    [InlineData("flashinfer", "workspace")]
    [InlineData("fused", "fused")]
    [InlineData("mc2", "fused")]
    public void A_strategy_that_is_not_built_falls_back_and_says_so(string asked, string known)
    {
        var resolved = Strategies.Resolve(asked);
        Assert.Equal(Strategy.AllGatherReduceScatter, resolved.Use);
        Assert.Equal(
            $"strategy '{asked}' was asked for, allgather_reducescatter is used: {known} is not available in this build", resolved.Warning);
        Assert.Contains(known, Strategies.Names);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Naive")]
    [InlineData("nccl")]
    public void An_unknown_name_falls_back_and_lists_the_known_ones(string asked)
    {
        var resolved = Strategies.Resolve(asked);
        Assert.Equal(Strategy.AllGatherReduceScatter, resolved.Use);
        Assert.StartsWith(
            $"strategy '{asked}' was asked for, allgather_reducescatter is used: ", resolved.Warning, StringComparison.Ordinal);
        Assert.All(Strategies.Names, name => Assert.Contains(name, resolved.Warning, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_strategy_has_one_name_and_what_is_not_built_cannot_be_reserved()
    {
        Assert.Equal(Enum.GetValues<Strategy>().Select(Strategies.NameOf), Strategies.Names);
        Assert.Equal(7, Strategies.Names.Distinct().Count());
        var shape = new All2AllShape(1, 1, 1, RowType.Fp32);
        foreach (string name in Strategies.Names) Strategies.Reserve(Strategies.Resolve(name).Use, new WindowPlan(), 2, shape);
        Assert.Throws<ArgumentOutOfRangeException>(() => Strategies.Reserve(Strategy.Fused, new WindowPlan(), 2, shape));
    }
}
