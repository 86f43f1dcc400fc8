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
    /// <summary>As hocon/reference.conf does it: the serializer named json, which is System.Object's, refuses.</summary>
    private static readonly string s_bindings = $$"""
        akka.actor {
          serializers { wire = "{{Name(typeof(WireSerializer))}}", json = "{{Name(typeof(ConfiguredSerializer))}}" }
          serialization-bindings { "{{Name(typeof(IWire))}}" = wire, "System.Object" = json }
          serialization-identifiers { "{{Name(typeof(ConfiguredSerializer))}}" = 1202 }
          serialization-settings.json { greeting = hello }
        }
        """;

    /// <summary>With remoting: the serializers of text, numbers and Akka's own messages come with it.</summary>
    private readonly RemoteNode _node = new(s_bindings);

    private ActorSystem System => _node.System;

    public void Dispose() => _node.Dispose();

    private static string Name(Type type) => $"{type.FullName}, {type.Assembly.GetName().Name}";

    private object RoundTrip(object message)
    {
        var serializer = System.Serialization.FindSerializerFor(message);
        string manifest = Serialization.ManifestFor(serializer, message);
        return System.Serialization.Deserialize(System.Serialization.Serialize(message), serializer.Identifier, manifest);
    }

    [Fact]
    public void A_serializer_bound_to_an_interface_serves_what_implements_it()
    {
        Assert.IsType<WireSerializer>(System.Serialization.FindSerializerFor(new WireText("x")));
        Assert.Equal(new WireText("x"), RoundTrip(new WireText("x")));
    }

    [Fact]
    public void What_is_bound_nowhere_else_goes_to_the_serializer_of_System_Object()
    {
        var serializer = Assert.IsType<ConfiguredSerializer>(System.Serialization.FindSerializerFor(new Uri("http://x")));
        Assert.Equal((1202, "hello"), (serializer.Identifier, serializer.Greeting));
        Assert.Throws<ArgumentException>(() => System.Serialization.Serialize(new Uri("http://x")));
        Assert.Throws<ArgumentException>(() => RoundTrip(new WireSecret("x")));
        foreach (object value in new object[] { true, 2.5, new object() })
            Assert.IsType<ConfiguredSerializer>(System.Serialization.FindSerializerFor(value));
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
        Assert.ThrowsAny<Exception>(() => System.Serialization.Deserialize([1, 2, 3], 987654, "T"));
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
        var actor = System.ActorOf(Props.Empty);
        var identity = Assert.IsType<ActorIdentity>(RoundTrip(new ActorIdentity(5, actor)));
        Assert.Equal((5, actor), (identity.MessageId, identity.Subject));
        Assert.Null(Assert.IsType<ActorIdentity>(RoundTrip(new ActorIdentity(5, null))).Subject);
        var failure = Assert.IsType<Status.Failure>(RoundTrip(new Status.Failure(new InvalidOperationException("broken"))));
        Assert.Contains("broken", failure.Cause.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reference_travels_as_its_path_and_comes_back()
    {
        var actor = System.ActorOf(Props.Empty, "traveller");
        string path = Serialization.SerializedActorPath(actor);
        Assert.EndsWith($"/user/traveller#{actor.Path.Uid}", path, StringComparison.Ordinal);
        Assert.Equal(actor, System.Serialization.DeserializeActorRef(path));
    }
}
