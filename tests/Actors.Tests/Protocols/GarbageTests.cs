using System.Runtime.Serialization;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class GarbageTests
{
    private const int Iterations = 20_000;

    private readonly WireSystem _wire;
    private readonly WireCounters _counters = new();
    private readonly ProtocolSerializer _serializer;
    private long _accepted, _refused;

    public GarbageTests(WireSystem wire) => (_wire, _serializer) = (wire, new ProtocolSerializer(wire.System, _counters));

    public static TheoryData<Type> Messages => [.. Samples.Messages];

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_cut_short_anywhere_is_a_message_or_a_serialization_error(Type type)
    {
        var samples = new Samples(Seed.For(nameof(A_message_cut_short_anywhere_is_a_message_or_a_serialization_error)), _wire.Actors);
        byte[] whole = _serializer.ToBinary(samples.Filled(type));
        for (int length = 0; length < whole.Length; length++) Feed(whole[..length], $"{type.Name}/1");
        Counted();
    }

    [Fact]
    public void Most_cuts_are_noticed()
    {
        byte[] whole = _serializer.ToBinary(new StepPlan(new(1), new(1000), 1, new(998), "low_latency", [new(8, 1000), new(8, 1000)]));
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

        Counted();
    }

    [Fact]
    public void Damaged_messages_never_throw_anything_but_a_serialization_error()
    {
        var random = Seed.For(nameof(Damaged_messages_never_throw_anything_but_a_serialization_error));
        var samples = new Samples(random, _wire.Actors);
        for (int i = 0; i < Iterations; i++)
        {
            var form = WireForms.All[random.Next(WireForms.All.Count)];
            byte[] bytes = _serializer.ToBinary(random.Next(8) == 0 ? samples.Empty(form.Type) : samples.Filled(form.Type));
            int hits = bytes.Length == 0 ? 0 : random.Next(1, 4);
            for (; hits > 0; hits--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            Feed(bytes, form.Manifest);
        }

        Counted();
    }

    /// <summary>The message, or null where it was refused. What was accepted can be sent on.</summary>
    private ProtocolMessage? Feed(byte[] bytes, string manifest)
    {
        ProtocolMessage message;
        try
        {
            message = (ProtocolMessage)_serializer.FromBinary(bytes, manifest);
        }
        catch (SerializationException)
        {
            _refused++; // the one exception that is allowed; any other fails the test
            return null;
        }

        _accepted++;
        var error = Record.Exception(() => _serializer.ToBinary(message));
        Assert.True(error is null or SerializationException, error?.ToString()); // a damaged path may lead nowhere: its sender refuses
        return message;
    }

    /// <summary>Each message that was fed has been counted once.</summary>
    private void Counted()
    {
        var s = _counters.Snapshot();
        Assert.Equal((_accepted, _refused, 0), (s.Received, s.MalformedDropped, s.UnknownDropped));
    }
}
