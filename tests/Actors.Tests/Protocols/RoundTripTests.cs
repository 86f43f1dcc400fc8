using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;
using Troupe.Actors.Protocols;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class RoundTripTests(WireSystem wire)
{
    private const int Rounds = 200;

    public static TheoryData<Type> Messages => [.. Samples.Messages];

    [Fact]
    public void Every_message_record_has_a_manifest_of_its_own()
    {
        Assert.Empty(Samples.Messages.Where(type => WireForms.IndexOf(type) < 0).Select(type => type.Name));
        Assert.Equal(Samples.Messages.Count, WireForms.All.Count);
        Assert.All(WireForms.All, form => Assert.Equal($"{form.Type.Name}/{form.Version}", form.Manifest));
        Assert.Equal(WireForms.All.Count, WireForms.All.Select(form => form.Manifest).Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_with_every_field_filled_comes_back_the_same(Type type)
    {
        var samples = new Samples(Seed.For(nameof(A_message_with_every_field_filled_comes_back_the_same)), wire.Actors);
        for (int i = 0; i < Rounds; i++)
        {
            var sent = samples.Filled(type);
            Assert.Null(Samples.Difference(sent, wire.Carry(sent), type.Name));
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_with_nothing_in_it_comes_back_the_same(Type type)
    {
        var sent = new Samples(Seed.For(nameof(A_message_with_nothing_in_it_comes_back_the_same)), wire.Actors).Empty(type);
        Assert.Null(Samples.Difference(sent, wire.Carry(sent), type.Name));
    }

    [Fact]
    public void The_comparison_of_these_tests_sees_a_difference_in_any_field()
    {
        var samples = new Samples(Seed.For(nameof(The_comparison_of_these_tests_sees_a_difference_in_any_field)), wire.Actors);
        var sent = (StepResult)samples.Filled(typeof(StepResult));
        Assert.NotNull(Samples.Difference(sent, sent with { Step = sent.Step.Next }));
        Assert.NotNull(Samples.Difference(sent, sent with { Tokens = [.. sent.Tokens, new SlotToken(1, 1)] }));
        Assert.NotNull(Samples.Difference(sent, sent with { Scores = [sent.Scores[0] with { TopIds = [] }] }));
        Assert.NotNull(Samples.Difference(sent, samples.Filled(typeof(StepPlan))));
    }

    [Fact]
    public void A_rank_without_a_scheduler_comes_back_without_one()
    {
        var samples = new Samples(Seed.For(nameof(A_rank_without_a_scheduler_comes_back_without_one)), wire.Actors);
        var prepared = (Prepared)samples.Filled(typeof(Prepared));
        Assert.Null(((Prepared)wire.Carry(prepared with { Scheduler = null })).Scheduler);
        Assert.Null(((Prepared)wire.Carry(prepared with { Scheduler = ActorRefs.Nobody })).Scheduler);
    }

    [Fact]
    public void An_empty_prompt_is_not_a_missing_one()
    {
        var samples = new Samples(Seed.For(nameof(An_empty_prompt_is_not_a_missing_one)), wire.Actors);
        var batch = (SubmitBatch)samples.Filled(typeof(SubmitBatch));
        var requests = new[] { batch.Requests[0] with { Prompt = "" }, batch.Requests[0] with { Prompt = null } };
        var got = (SubmitBatch)wire.Carry(batch with { Requests = requests });
        Assert.Equal(["", null], got.Requests.Select(r => r.Prompt));
    }

    [Fact]
    public void Logits_travel_as_they_are_even_if_they_are_no_numbers()
    {
        var slice = new LogitsSlice(new(1), new(2), 0, 3, 4, [float.NaN, float.NegativeInfinity, -0f, float.Epsilon, -3.5f]);
        var got = (LogitsSlice)wire.Carry(slice);
        Assert.Equal(slice.Values.Select(BitConverter.SingleToUInt32Bits), got.Values.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void A_message_that_lacks_its_actor_is_refused_at_its_sender()
    {
        Assert.Contains("Client", Fails(new Connect("me", null!)), StringComparison.Ordinal);
        Assert.Contains("Router", Fails(new RouterStarted(ActorRefs.Nobody)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_encoded_is_a_serialization_error_which_does_not_cut_the_peer_off()
    {
        Fails(new CancelRequest(null!));
        Fails(new SubmitBatch(new(1), "me", wire.Actors[0], null!));
        var huge = new LogitsSlice(new(1), new(1), 0, 0, 0, new float[WireCheck.MaxBytes / 4]);
        Assert.Contains("at most", Fails(huge), StringComparison.Ordinal);
    }

    [Fact]
    public void Akka_finds_our_serializer_for_every_message()
    {
        var samples = new Samples(Seed.For(nameof(Akka_finds_our_serializer_for_every_message)), wire.Actors);
        foreach (var type in Samples.Messages)
        {
            var sent = samples.Filled(type);
            var serializer = wire.System.Serialization.FindSerializerFor(sent);
            Assert.IsType<ProtocolSerializer>(serializer);
            byte[] bytes = wire.System.Serialization.Serialize(sent);
            var got = wire.System.Serialization.Deserialize(bytes, ProtocolSerializer.Id, Serialization.ManifestFor(serializer, sent));
            Assert.Null(Samples.Difference(sent, got, type.Name));
        }
    }

    private string Fails(ProtocolMessage message) => Assert.Throws<SerializationException>(() => wire.Serializer.ToBinary(message)).Message;
}
