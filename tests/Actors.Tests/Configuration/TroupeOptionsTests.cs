using Troupe.Actors.Configuration;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Configuration;

public sealed class TroupeOptionsTests
{
    [Fact]
    public void The_defaults_are_those_of_the_reference_file()
    {
        TroupeOptions options = TroupeOptions.Default;
        Assert.Equal("troupe", options.ClusterName);
        Assert.Equal(1, options.Layout.Ranks);
        Assert.Null(options.Rank);
        Assert.Null(options.Fabric.Kind);
        Assert.Null(options.Scheduler.KvTokens);
        Assert.Equal(TimeSpan.FromMinutes(10), options.Scheduler.RequestTimeout);
        Assert.Equal(TimeSpan.FromSeconds(30), options.Fabric.WaitDeadline);
        Assert.Equal("", options.Control.LifelineHost);
        Assert.Equal(0, options.Routing.Explore);
    }

    [Fact]
    public void The_reference_file_in_the_program_is_the_one_in_hocon() =>
        Assert.Equal(HoconText.Load(Repository.At("hocon", "reference.conf")).Text, ReferenceConfig.Text.Text);

    [Fact]
    public void Every_key_has_a_comment_that_explains_it_and_is_read_and_written()
    {
        string[] lines = ReferenceConfig.Text.Text.Split('\n');
        string written = TroupeOptions.Default.ToHocon();
        Assert.NotEmpty(KnownKeys.All);
        foreach (string key in KnownKeys.All)
        {
            int line = ReferenceConfig.Text.LineOf(key);
            // The comment stands above the key, or above a neighbour that it explains together with it.
            int above = line - 2;
            while (above > 0 && lines[above].Contains(" = ", StringComparison.Ordinal) && !lines[above].Contains('#')) above--;
            Assert.True(lines[above].TrimStart().StartsWith('#'), $"hocon/reference.conf:{line}: {key} has no comment");
        }
        HoconText back = HoconText.Parse("written", written);
        Assert.Equal(KnownKeys.All.Order(), back.Keys.Where(k => k.Kind != HoconKind.Object).Select(k => k.Path).Order());
    }

    [Fact]
    public void A_file_wins_over_the_defaults_and_the_command_line_over_the_file()
    {
        HoconText file = HoconText.Parse("my.conf", "troupe { threads = 2, layout.stages = 3 }");
        HoconText line = HoconText.Of("command line", [new("troupe.threads", "4"), new("troupe.model", "C:\\models\\a \"b\"")]);
        TroupeOptions options = TroupeOptions.Read(new ConfigLayers(line, file));
        Assert.Equal((4, 3, 1), (options.Threads, options.Layout.Stages, options.Layout.Replicas));
        Assert.Equal("C:\\models\\a \"b\"", options.Model);
    }

    [Fact]
    public void Options_survive_a_trip_through_HOCON()
    {
        Random random = Seed.For(nameof(Options_survive_a_trip_through_HOCON));
        TroupeOptions plain = TroupeOptions.Default;
        for (int round = 0; round < 50; round++)
        {
            int stages = random.Next(1, 5), replicas = random.Next(1, 5);
            TroupeOptions options = plain with
            {
                ClusterName = $"c-{random.Next()}",
                Model = $"/models/ü:=#{random.Next()}\\\"",
                Layout = new(stages, replicas, 1),
                Split = random.Next(2) == 0 ? null : new(Enumerable.Range(0, stages).Select(_ => random.Next(1, 40))),
                Rank = random.Next(2) == 0 ? null : random.Next(stages * replicas),
                Weights = (WeightStorage)random.Next(4),
                Numbers = new((MathMode)random.Next(2), (RowType)random.Next(4), (NumberType)random.Next(2)),
                Fabric = plain.Fabric with
                {
                    Kind = random.Next(5) is var k && k < 4 ? (FabricKind)k : null,
                    WaitDeadline = TimeSpan.FromMilliseconds(random.Next(1, 100_000)),
                    Host = random.Next(2) == 0 ? "" : "a,b",
                },
                Routing = plain.Routing with
                {
                    Explore = random.Next(2) == 0 ? 0 : random.NextDouble() / 10, ShadowEvery = random.Next(1000),
                },
                Scheduler = plain.Scheduler with { KvTokens = random.Next(2) == 0 ? null : random.Next(1, int.MaxValue) },
                Drill = new((DrillFault)random.Next(6), random.Next(stages * replicas), random.Next(1, int.MaxValue),
                    random.Next(2) == 0 ? null : random.Next(100), TimeSpan.FromMilliseconds(random.Next(1, 1000))),
                Control = plain.Control with { LifelineHost = random.Next(2) == 0 ? "" : "10.0.0.1", LifelinePort = random.Next(65536) },
            };
            Assert.Equal(options, TroupeOptions.Read(new ConfigLayers(HoconText.Parse("standard input", options.ToHocon()))));
        }
    }

    [Theory]
    [InlineData("threads = many", "troupe.threads wants a whole number from 1 to 1024, got many")]
    [InlineData("threads = 0", "troupe.threads wants a whole number from 1 to 1024, got 0")]
    [InlineData("layout.split = \"3,x\"", "troupe.layout.split wants auto or the layers of each stage as \"10,14\", but this must be "
        + "numbers with commas between them, as 10,14, got 3,x")]
    [InlineData("layout.split = [3, 3]", "troupe.layout.split wants auto or the layers of each stage as \"10,14\", got [3, 3]")]
    [InlineData("layout.split = \"3,0\"", "troupe.layout.split wants auto or the layers of each stage as \"10,14\", but this gives stage "
        + "1 no layer, and each stage needs at least one, got 3,0")]
    [InlineData("threads = 1.5", "troupe.threads wants a whole number from 1 to 1024, got 1.5")]
    [InlineData("threads = null", "troupe.threads wants a whole number from 1 to 1024, got null")]
    [InlineData("threads = [1, 2]", "troupe.threads wants a whole number from 1 to 1024, got [1, 2]")]
    [InlineData("threads = 99999999999", "troupe.threads wants a whole number from 1 to 1024, got 99999999999")]
    [InlineData("model = \"\"", "troupe.model wants text that is not empty, got \"\"")]
    [InlineData("weights = int7", "troupe.weights wants one of as-stored, bf16, int8, int4, got int7")]
    [InlineData("numbers.math = Exact", "troupe.numbers.math wants one of exact, fast, got Exact")]
    [InlineData("numbers.rows = int4", "troupe.numbers.rows wants one of fp32, bf16, int8, fp8, got int4")]
    [InlineData("fabric.kind = shmem", "troupe.fabric.kind wants one of auto, inprocess, shm, tcp, mixed, got shmem")]
    [InlineData("fabric.wait-deadline = 30", "troupe.fabric.wait-deadline wants a duration from 1ms to 1h, as 500ms, 30s or 10m, got 30")]
    [InlineData("fabric.wait-deadline = soon",
        "troupe.fabric.wait-deadline wants a duration from 1ms to 1h, as 500ms, 30s or 10m, got soon")]
    [InlineData("fabric.wait-deadline = 2h", "troupe.fabric.wait-deadline wants a duration from 1ms to 1h, as 500ms, 30s or 10m, got 2h")]
    [InlineData("fabric.wait-deadline = 0s", "troupe.fabric.wait-deadline wants a duration from 1ms to 1h, as 500ms, 30s or 10m, got 0s")]
    [InlineData("fabric.wait-deadline = infinite",
        "troupe.fabric.wait-deadline wants a duration from 1ms to 1h, as 500ms, 30s or 10m, got infinite")]
    [InlineData("scheduler.kv-tokens = lots", "troupe.scheduler.kv-tokens wants auto or a whole number from 1 to 2147483647, got lots")]
    [InlineData("routing.explore = 0.11", "troupe.routing.explore wants a number from 0 to 0.1, got 0.11")]
    [InlineData("routing.explore = -0.01", "troupe.routing.explore wants a number from 0 to 0.1, got -0.01")]
    [InlineData("routing.explore = 5%", "troupe.routing.explore wants a number from 0 to 0.1, got 5%")]
    [InlineData("routing.explore = NaN", "troupe.routing.explore wants a number from 0 to 0.1, got NaN")]
    [InlineData("rank = 1", "troupe.rank wants any or a whole number from 0 to 0, got 1")]
    [InlineData("cluster-name = \"a b\"", "troupe.cluster-name wants letters, digits and '-', starting with a letter or digit, got a b")]
    [InlineData("limits.prompt-bytes = 120000", "troupe.limits.prompt-bytes wants at most 112000, "
        + "or akka.remote.dot-netty.tcp.maximum-frame-size of at least 136000b, got 120000")]
    public void A_wrong_value_is_named_with_file_line_and_key(string setting, string says)
    {
        HoconText file = HoconText.Parse("my.conf", $"# mine\ntroupe.{setting}\n");
        Assert.Equal($"my.conf:2: {says}", Assert.Throws<ConfigException>(() => TroupeOptions.Read(new ConfigLayers(file))).Message);
    }

    [Fact]
    public void A_world_that_is_too_large_is_refused_with_its_arithmetic()
    {
        HoconText file = HoconText.Parse("my.conf", "troupe.layout { stages = 64, replicas = 64 }");
        string message = Assert.Throws<ConfigException>(() => TroupeOptions.Read(new ConfigLayers(file))).Message;
        Assert.Contains("64 stages x 64 replicas x 1 tensor ranks = 4096 ranks", message);
    }

    [Fact]
    public void A_value_from_the_command_line_is_blamed_on_the_command_line()
    {
        HoconText line = HoconText.Of("command line", [new("troupe.threads", "x")]);
        Assert.StartsWith("command line:1: troupe.threads",
            Assert.Throws<ConfigException>(() => TroupeOptions.Read(new ConfigLayers(line))).Message);
    }
}
