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
    [InlineData("high_throughput", Strategy.HighThroughput)]
    [InlineData("deepep_high_throughput", Strategy.HighThroughput)]
    [InlineData("hierarchical", Strategy.Hierarchical)]
    [InlineData("deepep_internode", Strategy.Hierarchical)]
    [InlineData("low_latency", Strategy.LowLatency)]
    [InlineData("deepep_low_latency", Strategy.LowLatency)]
    [InlineData("peer_mapped", Strategy.PeerMapped)]
    [InlineData("pplx", Strategy.PeerMapped)]
    [InlineData("workspace", Strategy.Workspace)]
    [InlineData("flashinfer_all2allv", Strategy.Workspace)]
    [InlineData("flashinfer", Strategy.Workspace)]
    [InlineData("fused", Strategy.Fused)]
    [InlineData("mc2", Strategy.Fused)]
    public void A_strategy_and_its_other_names_come_without_a_warning(string asked, Strategy strategy) =>
        Assert.Equal(new Resolution(strategy, null), Strategies.Resolve(asked));

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
    public void Every_strategy_has_one_name_and_the_default_is_legal_everywhere()
    {
        Assert.Equal(Enum.GetValues<Strategy>().Select(Strategies.NameOf), Strategies.Names);
        Assert.Equal(7, Strategies.Names.Distinct().Count());
        Assert.Null(Strategies.Problem(Strategies.Fallback, new GroupTraits(8, Mapped: false, Hosts: 2)));
        Assert.Contains("address each other's memory",
            Strategies.Problem(Strategy.Workspace, new GroupTraits(8, Mapped: false, Hosts: 1)), StringComparison.Ordinal);
    }
}
