using System.Runtime.Serialization;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class GarbageTests(WireSystem wire)
{
    private const int Iterations = 20_000;

    public static TheoryData<Type> Messages => [.. Samples.Messages];

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_cut_short_anywhere_is_a_message_or_a_serialization_error(Type type)
    {
        var samples = new Samples(Seed.For(nameof(A_message_cut_short_anywhere_is_a_message_or_a_serialization_error)), wire.Actors);
        byte[] whole = wire.Serializer.ToBinary(samples.Filled(type));
        for (int length = 0; length < whole.Length; length++) Feed(whole[..length], $"{type.Name}/1");
    }

    [Fact]
    public void Most_cuts_are_noticed()
    {
        byte[] whole = wire.Serializer.ToBinary(new StepPlan(new(1), new(1000), 1, new(998), "low_latency", [new(8, 1000), new(8, 1000)]));
        int refused = Enumerable.Range(0, whole.Length).Count(length => Feed(whole[..length], "StepPlan/1") is null);
        Assert.InRange(refused, whole.Length / 2, whole.Length);
    }

    [Fact]
    public void Random_bytes_never_throw_anything_but_a_serialization_error()
    {
        var random = Seed.For(nameof(Random_bytes_never_throw_anything_but_a_serialization_error));
        for (int i = 0; i < Iterations; i++)
        {
            byte[] bytes = new byte[random.Next(0, 96)];
            random.NextBytes(bytes);
            Feed(bytes, WireForms.All[random.Next(WireForms.All.Count)].Manifest);
        }
    }

    [Fact]
    public void Damaged_messages_never_throw_anything_but_a_serialization_error()
    {
        var random = Seed.For(nameof(Damaged_messages_never_throw_anything_but_a_serialization_error));
        var samples = new Samples(random, wire.Actors);
        for (int i = 0; i < Iterations; i++)
        {
            var form = WireForms.All[random.Next(WireForms.All.Count)];
            byte[] bytes = wire.Serializer.ToBinary(random.Next(8) == 0 ? samples.Empty(form.Type) : samples.Filled(form.Type));
            int hits = bytes.Length == 0 ? 0 : random.Next(1, 4);
            for (; hits > 0; hits--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            Feed(bytes, form.Manifest);
        }
    }

    /// <summary>The message, or null where it was refused. Each call is counted once, and what was accepted can be sent on.</summary>
    private ProtocolMessage? Feed(byte[] bytes, string manifest)
    {
        var before = wire.Counters.Snapshot();
        ProtocolMessage? message = null;
        try
        {
            message = (ProtocolMessage)wire.Serializer.FromBinary(bytes, manifest);
        }
        catch (SerializationException)
        {
            // The one exception that is allowed; any other fails the test.
        }

        var moved = wire.Counters.Snapshot().Since(before);
        Assert.Equal((message is null ? 0 : 1, message is null ? 1 : 0, 0), (moved.Received, moved.MalformedDropped, moved.UnknownDropped));
        if (message is not null)
        {
            // A damaged path may lead to no actor, which its next sender refuses.
            var error = Record.Exception(() => wire.Serializer.ToBinary(message));
            Assert.True(error is null or SerializationException, error?.ToString());
        }

        return message;
    }
}
