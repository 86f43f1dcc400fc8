using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Devices.Tests.Topology;

public sealed class WorldTests
{
    [Fact]
    public void Groups_of_each_kind_part_the_ranks()
    {
        var world = new World(new Layout(3, 2, 4));
        Parts(Enumerable.Range(0, 3).Select(world.Stage));
        Parts(from stage in Enumerable.Range(0, 3) from replica in Enumerable.Range(0, 2) select world.TensorRanks(stage, replica));
        Parts(from replica in Enumerable.Range(0, 2) from tensor in Enumerable.Range(0, 4) select world.Pipeline(replica, tensor));
        Assert.Equal([12, 13, 14, 15], Numbers(world.TensorRanks(1, 1)));
        Assert.Equal([5, 13, 21], Numbers(world.Pipeline(1, 1)));

        void Parts(IEnumerable<RankGroup> groups) => Assert.Equal(Enumerable.Range(0, world.Size), groups.SelectMany(Numbers).Order());
    }

    [Fact]
    public void Ranks_of_one_host_address_each_other_and_the_others_are_behind_sockets()
    {
        var world = new World(new Layout(2, 2, 1));
        var topology = new RankTopology(world, ["a", "a", "a", "b"]);
        (RankId first, RankId near, RankId far) = (world.Rank(0), world.Rank(2), world.Rank(3));
        Assert.Equal(["a", "b"], topology.Hosts);
        Assert.Equal([0, 1, 2], Numbers(topology.RanksOn("a")));
        Assert.Equal((LinkClass.Self, LinkClass.Mapped, LinkClass.Tcp),
            (topology.Between(first, first), topology.Between(first, near), topology.Between(near, far)));
        Assert.True(topology.SharesHost(first, near));
        Assert.Equal(LinkClass.Tcp, RankTopology.OneHost(world, "a", LinkClass.Tcp).Between(first, near));
        Assert.Throws<ArgumentException>(() => new RankTopology(world, ["a"]));
    }

    private static IEnumerable<int> Numbers(RankGroup group) => group.Members.Select(rank => rank.Value);
}
