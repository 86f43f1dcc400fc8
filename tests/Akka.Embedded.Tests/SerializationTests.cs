using System.Text;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public interface IWire;

public sealed record WireText(string Text) : IWire;

public sealed record WireSecret(string Text) : IWire;

/// <summary>Named in HOCON by the tests.</summary>
public sealed class WireSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    public override int Identifier => 1201;
    public override string Manifest(object o) => o is WireText ? "T" : throw new ArgumentException($"not for the wire: {o}");
    public override byte[] ToBinary(object obj) => Encoding.UTF8.GetBytes(((WireText)obj).Text);
    public override object FromBinary(byte[] bytes, string manifest) => manifest == "T"
        ? new WireText(Encoding.UTF8.GetString(bytes)) : throw new ArgumentException($"unknown manifest {manifest}");
}

/// <summary>Its number and settings come from HOCON.</summary>
public sealed class ConfiguredSerializer(ExtendedActorSystem system, Config config) : SerializerWithStringManifest(system)
{
    public string Greeting { get; } = config.GetString("greeting");
    public override string Manifest(object o) => "";
    public override byte[] ToBinary(object obj) => throw new ArgumentException($"refused: {obj.GetType()}");
    public override object FromBinary(byte[] bytes, string manifest) => throw new ArgumentException("refused");
}

public sealed class SerializationTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet($$"""
        akka.actor {
          serializers { wire = "{{Name(typeof(WireSerializer))}}", refusing = "{{Name(typeof(ConfiguredSerializer))}}" }
          serialization-bindings { "{{Name(typeof(IWire))}}" = wire, "System.Object" = refusing }
          serialization-identifiers { "{{Name(typeof(ConfiguredSerializer))}}" = 1202 }
          serialization-settings.refusing { greeting = hello }
        }
        """);

    public void Dispose() => _system.Dispose();

    private static string Name(Type type) => $"{type.FullName}, {type.Assembly.GetName().Name}";

    private object RoundTrip(object message)
    {
        var serializer = _system.Serialization.FindSerializerFor(message);
        string manifest = Serialization.ManifestFor(serializer, message);
        return _system.Serialization.Deserialize(_system.Serialization.Serialize(message), serializer.Identifier, manifest);
    }

    [Fact]
    public void A_serializer_bound_to_an_interface_serves_what_implements_it()
    {
        Assert.IsType<WireSerializer>(_system.Serialization.FindSerializerFor(new WireText("x")));
        Assert.Equal(new WireText("x"), RoundTrip(new WireText("x")));
    }

    [Fact]
    public void What_is_bound_nowhere_else_goes_to_the_serializer_of_System_Object()
    {
        var serializer = Assert.IsType<ConfiguredSerializer>(_system.Serialization.FindSerializerFor(new Uri("http://x")));
        Assert.Equal((1202, "hello"), (serializer.Identifier, serializer.Greeting));
        Assert.Throws<ArgumentException>(() => _system.Serialization.Serialize(new Uri("http://x")));
        Assert.Throws<ArgumentException>(() => RoundTrip(new WireSecret("x")));
    }

    [Fact]
    public void A_serializer_without_a_number_is_refused()
    {
        Assert.ThrowsAny<Exception>(() => Systems.Quiet($$"""
            akka.actor.serializers { refusing = "{{Name(typeof(ConfiguredSerializer))}}" }
            akka.actor.serialization-settings.refusing { greeting = hello }
            """));
    }

    [Fact]
    public void An_unknown_number_is_refused()
    {
        Assert.ThrowsAny<Exception>(() => _system.Serialization.Deserialize([1, 2, 3], 987654, "T"));
    }

    [Fact]
    public void Text_numbers_and_bytes_travel()
    {
        foreach (object value in new object[] { "größe", 5, -7L, "" }) Assert.Equal(value, RoundTrip(value));
        Assert.Equal([1, 2, 3], Assert.IsType<byte[]>(RoundTrip(new byte[] { 1, 2, 3 })));
    }

    [Fact]
    public void The_messages_of_the_library_travel()
    {
        Assert.Equal("id", Assert.IsType<Identify>(RoundTrip(new Identify("id"))).MessageId);
        Assert.IsType<PoisonPill>(RoundTrip(PoisonPill.Instance));
        var actor = _system.ActorOf(Props.Empty);
        var identity = Assert.IsType<ActorIdentity>(RoundTrip(new ActorIdentity(5, actor)));
        Assert.Equal((5, actor), (identity.MessageId, identity.Subject));
        Assert.Null(Assert.IsType<ActorIdentity>(RoundTrip(new ActorIdentity(5, null))).Subject);
        var failure = Assert.IsType<Status.Failure>(RoundTrip(new Status.Failure(new InvalidOperationException("broken"))));
        Assert.Contains("broken", failure.Cause.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reference_travels_as_its_path_and_comes_back()
    {
        var actor = _system.ActorOf(Props.Empty, "traveller");
        string path = Serialization.SerializedActorPath(actor);
        Assert.Equal($"akka://test/user/traveller#{actor.Path.Uid}", path);
        Assert.Equal(actor, _system.Serialization.DeserializeActorRef(path));
    }
}
