using Troupe.Actors.Configuration;
using Xunit;

namespace Troupe.Actors.Tests.Configuration;

public sealed class KnownKeysTests
{
    [Theory]
    [InlineData("troupe.thread = 2", "unknown key troupe.thread: did you mean troupe.threads?")]
    [InlineData("troupe.layout.stage = 2", "unknown key troupe.layout.stage: did you mean troupe.layout.stages?")]
    [InlineData("troupe.schedular.max-queue = 2", "unknown key troupe.schedular.max-queue: did you mean troupe.scheduler.max-queue?")]
    [InlineData("troupe.max-queue = 2", "unknown key troupe.max-queue: did you mean troupe.scheduler.max-queue?")]
    [InlineData("troupe.stagse = 2", "unknown key troupe.stagse: did you mean troupe.layout.stages?")]
    [InlineData("troupe.Threads = 2", "unknown key troupe.Threads: did you mean troupe.threads?")]
    [InlineData("trouppe.threads = 2", "unknown key trouppe.threads: did you mean troupe.threads?")]
    [InlineData("threads = 2", "unknown key threads: did you mean troupe.threads?")]
    [InlineData("troupe.xyzzy = 2", "unknown key troupe.xyzzy: hocon/reference.conf lists the known ones")]
    [InlineData("xyzzy = 2", "unknown key xyzzy: settings stand below troupe or akka; hocon/reference.conf lists them")]
    [InlineData("troupe.threads { max = 2 }", "troupe.threads is not a key: troupe.threads takes a value, not keys in braces")]
    [InlineData("troupe.layout = 4", "troupe.layout wants keys in braces: stages, replicas, tensor, split, got a value")]
    public void An_unknown_key_is_refused_with_the_nearest_known_one(string setting, string says)
    {
        HoconText file = HoconText.Parse("my.conf", $"\n{setting}\n");
        Assert.Equal($"my.conf:2: {says}", Assert.Throws<ConfigException>(() => new ConfigLayers(file)).Message);
    }

    [Fact]
    public void Keys_of_Akka_are_Akkas_business() =>
        _ = new ConfigLayers(HoconText.Parse("my.conf", "akka { anything = 1 }\nakka.cluster.x = 2"));
}
