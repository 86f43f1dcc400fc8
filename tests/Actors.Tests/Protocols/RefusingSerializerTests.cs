using System.Runtime.Serialization;
using Akka.Serialization;
using Troupe.Actors.Protocols;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class RefusingSerializerTests(WireSystem wire)
{
    [Fact]
    public void What_is_no_message_of_ours_finds_a_serializer_that_refuses_it_by_name()
    {
        var stranger = new Stranger();
        Assert.IsType<RefusingSerializer>(wire.System.Serialization.FindSerializerFor(stranger));
        var error = Assert.Throws<SerializationException>(() => wire.System.Serialization.Serialize(stranger));
        Assert.Contains(typeof(Stranger).FullName!, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("System.Object, System.Private.CoreLib")]
    [InlineData("Troupe.Actors.Tests.Protocols.RefusingSerializerTests+Stranger, Troupe.Actors.Tests")]
    public void Bytes_under_the_id_of_the_json_serializer_are_refused_whatever_type_they_name(string manifest)
    {
        Stranger.Made = 0;
        var before = WireCounters.Process.Snapshot();
        var error = Record.Exception(() => wire.System.Serialization.Deserialize("{}"u8.ToArray(), RefusingSerializer.Id, manifest));
        Assert.IsType<SerializationException>(error);
        Assert.Equal(0, Stranger.Made);
        Assert.InRange(WireCounters.Process.Snapshot().Since(before).Refused, 1, long.MaxValue);
    }

    [Fact]
    public void It_stands_where_the_json_serializer_stood()
    {
        var serializer = new RefusingSerializer(wire.System);
        Assert.Equal(1, serializer.Identifier);
        Assert.Throws<SerializationException>(() => serializer.ToBinary("text"));
        Assert.Throws<SerializationException>(() => serializer.ToBinary(null!));
        Assert.Throws<SerializationException>(() => Serialization.ManifestFor(serializer, new Stranger()));
    }

    [Fact]
    public void A_record_without_a_wire_form_is_refused_by_name()
    {
        var error = Assert.Throws<SerializationException>(() => wire.Serializer.ToBinary(new Unlisted()));
        Assert.Contains(nameof(Unlisted), error.Message, StringComparison.Ordinal);
        Assert.Throws<SerializationException>(() => wire.Serializer.Manifest(new Unlisted()));
    }

    private sealed record Unlisted() : ProtocolMessage(default, default);

    internal sealed class Stranger
    {
        public Stranger() => Made++;

        public static int Made { get; set; }
    }
}
