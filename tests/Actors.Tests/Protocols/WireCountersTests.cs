using System.Runtime.Serialization;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Xunit.Abstractions;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class WireCountersTests(WireSystem wire, ITestOutputHelper output)
{
    private static readonly Epoch Now = new(1);
    private static readonly StepId Late = new(100_000);

    [Fact]
    public void Messages_and_bytes_are_counted_by_manifest_on_both_ways()
    {
        var counters = new WireCounters();
        var serializer = new ProtocolSerializer(wire.System, counters);
        byte[] drain = serializer.ToBinary(new Drain(Now));
        byte[] cancel = serializer.ToBinary(new CancelRequest("four"));
        serializer.ToBinary(new CancelRequest("twelve chars"));
        serializer.FromBinary(cancel, "CancelRequest/1");
        var s = counters.Snapshot();
        Assert.Equal(new WireCount("Drain/1", 1, drain.Length, 0, 0), s.Of<Drain>());
        Assert.Equal(new WireCount("CancelRequest/1", 2, (2 + 4) + (2 + 12), 1, 2 + 4), s.Of<CancelRequest>());
        Assert.Equal((3, drain.Length + 20, 1, 6), (s.Sent, s.SentBytes, s.Received, s.ReceivedBytes));
        Assert.Equal(WireForms.All.Count, s.ByManifest.Count);
    }

    [Fact]
    public void What_could_not_be_sent_or_read_is_no_message()
    {
        var counters = new WireCounters();
        var serializer = new ProtocolSerializer(wire.System, counters);
        Assert.Throws<SerializationException>(() => serializer.ToBinary(new CancelRequest(null!)));
        Assert.Throws<SerializationException>(() => serializer.FromBinary([0xff], "Drain/1"));
        Assert.Throws<SerializationException>(() => serializer.FromBinary([], "Drain/9"));
        var s = counters.Snapshot();
        Assert.Equal((0, 0, 0, 0), (s.Sent, s.SentBytes, s.Received, s.ReceivedBytes));
        Assert.Equal((1, 1, 0), (s.UnknownDropped, s.MalformedDropped, s.Refused));
    }

    [Fact]
    public void The_difference_of_two_snapshots_is_what_happened_between_them()
    {
        var counters = new WireCounters();
        var serializer = new ProtocolSerializer(wire.System, counters);
        serializer.ToBinary(new Drain(Now));
        var before = counters.Snapshot();
        serializer.ToBinary(new Drained(Now, 1));
        var moved = counters.Snapshot().Since(before);
        Assert.Equal((0, 1, 1), (moved.Of<Drain>().Sent, moved.Of<Drained>().Sent, moved.Sent));
    }

    [Fact]
    public async Task No_count_is_lost_between_threads()
    {
        var counters = new WireCounters();
        var serializer = new ProtocolSerializer(wire.System, counters);
        int length = serializer.ToBinary(new Drain(Now)).Length;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 5_000; i++) serializer.ToBinary(new Drain(Now));
        }))).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal((20_001, 20_001L * length), (counters.Snapshot().Sent, counters.Snapshot().SentBytes));
    }

    [Fact]
    public void The_serializer_that_Akka_makes_counts_for_the_process()
    {
        var before = WireCounters.Process.Snapshot();
        wire.System.Serialization.Serialize(new Drained(Now, 3));
        long sent = WireCounters.Process.Snapshot().Since(before).Of<Drained>().Sent;
        Assert.InRange(sent, 1, long.MaxValue); // others in this process may send too
    }

    /// <summary>The limits: a delta under 60 bytes and a plan under 64, all actor messages of a decode step under 2 KB.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(4, 4)]
    public void The_messages_of_a_decode_step_stay_small(int replicas, int ranks)
    {
        const int Slots = 8;
        int each = Slots / replicas;
        var shares = Enumerable.Repeat(new ReplicaShare(each, Late.Value), replicas).ToArray();
        int delta = Size(new BatchDelta(Now, replicas - 1, Late.Value, 1, [], [], [.. Range(Slots).Select(slot => new SlotWork(slot, 1))]));
        int plan = Size(new StepPlan(Now, Late, 1, new(Late.Value - 2), "allgather_reducescatter", shares, null, replicas - 1));
        int offer = Size(new StepOffer(Now, Late, replicas - 1, 1, each, StepKind.Decode, Late.Value, 1234.5));
        SlotToken[] tokens = [.. Range(each).Select(slot => new SlotToken(slot, 128_000))];
        int result = Size(new StepResult(Now, Late, replicas - 1, 1, tokens, [], 1234.5, 67.8));
        int chunk = Size(new TokenChunk(Now, Late, "request-17", [128_000], " token"));
        int step = (replicas * (offer + delta + result)) + (ranks * plan) + (Slots * chunk);
        output.WriteLine($"{replicas} replicas, {ranks} ranks, {Slots} slots, bytes:");
        output.WriteLine($"delta {delta}, plan {plan}, offer {offer}, result {result}, chunk {chunk}, all of a step {step}");
        Assert.InRange(delta, 1, 59);
        Assert.InRange(plan, 1, 63);
        Assert.InRange(step, 1, 2047);
    }

    private static IEnumerable<int> Range(int count) => Enumerable.Range(0, count);

    private int Size(ProtocolMessage message) => wire.Serializer.ToBinary(message).Length;
}
