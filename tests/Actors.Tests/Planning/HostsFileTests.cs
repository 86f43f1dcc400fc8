using Troupe.Actors.Configuration;
using Troupe.Actors.Planning;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class HostsFileTests
{
    private const long GiB = 1L << 30;

    [Fact]
    public void A_host_a_line_with_slots_and_memory_comments_and_blank_lines_aside()
    {
        HostsFile file = HostsFile.Parse("hosts", "# two boxes\nalpha 4 64  # the large one\r\n\n\tbeta\t2\n10.0.0.7 1 0.5\n");
        Assert.Equal([new("alpha", 4, 64 * GiB), new("beta", 2, null), new("10.0.0.7", 1, GiB / 2)], file.Hosts);
    }

    [Theory]
    [InlineData("", "hosts: no host; each line is: name slots [memory GiB]")]
    [InlineData("a 2\nb", "hosts:2: host b has no slots; a line is: name slots [memory GiB]")]
    [InlineData("a 2\n\nb 0", "hosts:3: slots must be a whole number in [1, 1024], got 0")]
    [InlineData("a two", "hosts:1: slots must be a whole number in [1, 1024], got two")]
    [InlineData("a 2 lots", "hosts:1: memory must be GiB in (0, 1048576], got lots")]
    [InlineData("a 2 0", "hosts:1: memory must be GiB in (0, 1048576], got 0")]
    [InlineData("a 2 3 4", "hosts:1: a line is: name slots [memory GiB], got 4 words: a 2 3 4")]
    [InlineData("a 2\nb 1\nA 2", "hosts:3: host A stands in line 1 already; add its slots up in one line")]
    [InlineData("a!b 2", "hosts:1: a!b is no name or address of a host")]
    public void A_line_that_is_none_is_named(string text, string says) =>
        Assert.Equal(says, Assert.Throws<ConfigException>(() => HostsFile.Parse("hosts", text)).Message);

    [Fact]
    public void Ranks_fill_one_host_after_the_other()
    {
        RankTopology placed = HostsFile.Parse("hosts", "a 3\nb 5\nc 1").Place(new World(new Layout(2, 2, 1)), [], LinkClass.Mapped);
        Assert.Equal(["a", "a", "a", "b"], placed.HostOfRanks);
    }

    [Theory]
    [InlineData("a 1\nb 2", "hosts: 2 stages x 2 replicas x 1 tensor ranks = 4 ranks, but 2 hosts have 1 + 2 = 3 slots; add hosts, or use "
        + "fewer ranks")]
    [InlineData("a 3", "hosts: 2 stages x 2 replicas x 1 tensor ranks = 4 ranks, but 1 host has 3 slots; add hosts, or use fewer ranks")]
    public void Too_few_slots_are_refused_with_the_sum(string text, string says)
    {
        HostsFile file = HostsFile.Parse("hosts", text);
        Assert.Equal(says, Assert.Throws<ConfigException>(() => file.Place(new World(new Layout(2, 2, 1)), [], LinkClass.Mapped)).Message);
    }

    [Theory]
    [InlineData("a,a,b,c", "hosts: unknown host c, which troupe.fabric.host names; the file has a, b")]
    [InlineData("a,b,b,b", "hosts: troupe.fabric.host puts 3 ranks on b, which has 2 slots")]
    [InlineData("a,b", "troupe.fabric.host names the hosts of 2 ranks, but 2 stages x 2 replicas x 1 tensor ranks = 4 ranks")]
    public void Hosts_that_ranks_ask_for_by_name_must_be_there(string named, string says)
    {
        HostsFile file = HostsFile.Parse("hosts", "a 2\nb 2");
        Assert.Equal(says, Assert.Throws<ConfigException>(() =>
            file.Place(new World(new Layout(2, 2, 1)), named.Split(','), LinkClass.Mapped)).Message);
        Assert.Equal(["b", "a", "b", "a"], file.Place(new World(new Layout(2, 2, 1)), ["b", "a", "b", "a"], LinkClass.Mapped).HostOfRanks);
    }
}
