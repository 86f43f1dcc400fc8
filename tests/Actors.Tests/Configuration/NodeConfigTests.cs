using Troupe.Actors.Configuration;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Configuration;

public sealed class NodeConfigTests
{
    [Theory]
    [InlineData("local.conf", 4, "", 0)]
    [InlineData("control.conf", 4, "control", 1)]
    [InlineData("rank.conf", 4, "rank", 1)]
    [InlineData("docker.conf", 4, "", 0)]
    public void The_example_files_load(string file, int ranks, string role, int seeds)
    {
        var layers = new ConfigLayers(HoconText.Load(Repository.At("hocon", file)));
        Assert.Equal(ranks, TroupeOptions.Read(layers).Layout.Ranks);
        NodeConfig node = NodeConfig.Read(layers);
        Assert.Equal(role.Length == 0 ? [] : [role], node.Roles);
        Assert.Equal(seeds, node.SeedNodes.Count);
        Assert.True(node.Clustered);
    }

    [Fact]
    public void The_control_file_listens_where_the_rank_file_looks()
    {
        NodeConfig control = NodeConfig.Read(new ConfigLayers(HoconText.Load(Repository.At("hocon", "control.conf"))));
        NodeConfig rank = NodeConfig.Read(new ConfigLayers(HoconText.Load(Repository.At("hocon", "rank.conf"))));
        Assert.Equal($"akka.tcp://{control.SystemName}@{control.Host}:{control.Port}", rank.SeedNodes[0]);
        Assert.Equal(control.SeedNodes, rank.SeedNodes);
    }

    [Fact]
    public void What_a_parent_writes_for_a_child_is_what_the_child_reads()
    {
        string text = TroupeOptions.Default.ToHocon() + NodeConfig.ToHocon("10.1.2.3", 4711, ["rank"], ["akka.tcp://troupe@10.1.2.4:4100"]);
        NodeConfig node = NodeConfig.Read(new ConfigLayers(HoconText.Parse("standard input", text)));
        Assert.Equal(("troupe", true, "10.1.2.3", 4711), (node.SystemName, node.Clustered, node.Host, node.Port));
        Assert.Equal(["rank"], node.Roles);
        Assert.Equal(["akka.tcp://troupe@10.1.2.4:4100"], node.SeedNodes);
        Assert.Equal("10.1.2.3", node.Config.GetString("akka.remote.dot-netty.tcp.hostname"));
    }

    [Fact]
    public void A_world_in_one_process_has_no_cluster() =>
        Assert.False(NodeConfig.Read(new ConfigLayers().With(HoconText.Parse("in process", NodeConfig.LocalHocon))).Clustered);

    [Fact]
    public void Nothing_is_logged_to_stdout_and_no_sender_names_a_type()
    {
        var config = new ConfigLayers().Config;
        Assert.Equal("OFF", config.GetString("akka.stdout-loglevel"));
        Assert.All(config.GetStringList("akka.loggers"), logger => Assert.StartsWith("Troupe.", logger));
        Assert.All(["json", "daemon-create"],
            name => Assert.Contains("RefusingSerializer", config.GetString($"akka.actor.serializers.{name}")));
        Assert.Equal("json", config.GetString("akka.actor.serialization-bindings.\"System.Object\""));
        Assert.Equal("troupe", config.GetString(
            "akka.actor.serialization-bindings.\"Troupe.Actors.Protocols.IProtocolMessage, Troupe.Actors\""));
    }

    [Theory]
    [InlineData("cluster.seed-nodes = [\"akka.tcp://other@127.0.0.1:4100\"]", "akka.cluster.seed-nodes",
        "addresses of actor systems called troupe")]
    [InlineData("cluster.seed-nodes = [\"127.0.0.1:4100\"]", "akka.cluster.seed-nodes",
        "\"akka.tcp://troupe@HOST:PORT\", not 127.0.0.1:4100")]
    [InlineData("cluster.seed-nodes = [\"akka.tcp://troupe@h:0\"]", "akka.cluster.seed-nodes", "not akka.tcp://troupe@h:0")]
    [InlineData("cluster.seed-nodes = \"akka.tcp://troupe@h:1\"", "akka.cluster.seed-nodes", "a list in brackets")]
    [InlineData("cluster.roles = [worker]", "akka.cluster.roles", "control or rank, not worker")]
    [InlineData("remote.dot-netty.tcp.port = 70000", "akka.remote.dot-netty.tcp.port", "from 0 to 65535, got 70000")]
    [InlineData("remote.dot-netty.tcp.hostname = \"0.0.0.0\"", "akka.remote.dot-netty.tcp.hostname", "the address that other nodes use")]
    [InlineData("remote.dot-netty.tcp.hostname = \"\"", "akka.remote.dot-netty.tcp.hostname", "not empty")]
    [InlineData("actor.provider = remote", "akka.actor.provider", "one of cluster, local, got remote")]
    public void A_node_without_a_usable_address_is_refused(string setting, string key, string says)
    {
        var layers = new ConfigLayers(HoconText.Parse("my.conf", $"akka.{setting}"));
        string message = Assert.Throws<ConfigException>(() => NodeConfig.Read(layers)).Message;
        Assert.StartsWith($"my.conf:1: {key} wants ", message);
        Assert.Contains(says, message);
    }
}
