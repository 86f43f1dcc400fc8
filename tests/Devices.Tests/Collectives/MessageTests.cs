using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Collectives;

/// <summary>Messages between two ranks: hidden states between stages, tokens on the ring.</summary>
public sealed class MessageTests
{
    private const int MaxValues = 300;

    private readonly record struct Header(long Step, int Rows, bool Last);

    public static TheoryData<FabricKind, int> Rings()
    {
        var data = new TheoryData<FabricKind, int>();
        foreach (var kind in Worlds.Fabrics)
            foreach (int ranks in (int[])[2, 3, 5]) data.Add(kind, ranks);
        return data;
    }

    public static TheoryData<FabricKind, bool> Modes()
    {
        var data = new TheoryData<FabricKind, bool>();
        foreach (var kind in Worlds.Fabrics)
            foreach (bool rendezvous in (bool[])[false, true]) data.Add(kind, rendezvous);
        return data;
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void Messages_go_round_a_ring_whole_and_in_order(FabricKind kind, int ranks)
    {
        const int rounds = 40;
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(ranks, rendezvous: false));
        Ranks.Run(kind, world, plan, fabric =>
        {
            var ring = new Communicator(fabric, world.All, reserved);
            var next = world.Rank((ring.Position + 1) % ranks);
            var previous = world.Rank((ring.Position + ranks - 1) % ranks);
            float[] values = new float[MaxValues];
            for (int round = 0; round < rounds; round++)
            {
                int length = round * 7 % (MaxValues + 1);
                float[] mine = [.. Enumerable.Range(0, length).Select(i => (float)(ring.Position * 1000 + round * 10 + i))];
                ring.Send(next, new Header(round, ring.Position, round == rounds - 1), mine);
                int got = ring.Receive(previous, out Header header, values);
                Assert.Equal(new Header(round, previous.Value, round == rounds - 1), header);
                Assert.Equal(Enumerable.Range(0, length).Select(i => (float)(previous.Value * 1000 + round * 10 + i)), values[..got]);
            }
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Two_messages_are_under_way_before_the_receiver_comes(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(2, rendezvous: false));
        using var bothSent = new ManualResetEventSlim();
        Ranks.Run(kind, world, plan, fabric =>
        {
            var pair = new Communicator(fabric, world.All, reserved);
            if (pair.Position == 0)
            {
                for (int i = 0; i < 2; i++) pair.Send<int, float>(world.Rank(1), i, [i]);
                bothSent.Set();
                for (int i = 2; i < 10; i++) pair.Send<int, float>(world.Rank(1), i, [i]);
                return;
            }
            Assert.True(bothSent.Wait(Ranks.Limit), "the sender did not get two messages out while nobody received");
            float[] value = new float[1];
            for (int i = 0; i < 10; i++)
            {
                Assert.Equal(1, pair.Receive(world.Rank(0), out int header, value));
                Assert.Equal((i, (float)i), (header, value[0]));
            }
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_third_message_waits_until_a_slot_is_free(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(2, rendezvous: false));
        var unused = plan.ReserveFlags(1);
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            var pair = new Communicator(fabric, world.All, reserved);
            if (pair.Position == 0)
                for (int i = 0; i < 3; i++) pair.Send<int, float>(world.Rank(1), i, [i]);
            else
                Assert.Throws<FabricException>(() => fabric.Wait(world.Rank(0), unused[0], 1)); // only lives on
        }, Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(200) });
        Assert.Contains("rank 1 ", Assert.IsType<FabricException>(outcomes[0]).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void A_rendezvous_send_returns_only_when_its_receive_is_posted(FabricKind kind, bool receiverSendsFirst)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(2, rendezvous: true));
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            var pair = new Communicator(fabric, world.All, reserved);
            var peer = world.Rank(1 - pair.Position);
            float[] value = new float[1];
            // Both send first: a cycle, unless one has posted its receive.
            if (pair.Position == 1 && !receiverSendsFirst) pair.PostReceive(peer);
            pair.Send<int, float>(peer, pair.Position, [pair.Position]);
            pair.Receive(peer, out int from, value);
            Assert.Equal(peer.Value, from);
        }, receiverSendsFirst ? Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(200) } : null);
        if (receiverSendsFirst) Assert.Contains(outcomes, outcome => outcome is FabricException);
        else Assert.All(outcomes, Assert.Null);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_message_that_is_larger_than_the_receiver_expects_names_both_sizes(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(2, rendezvous: false));
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            var pair = new Communicator(fabric, world.All, reserved);
            if (pair.Position == 0) pair.Send<int, float>(world.Rank(1), 0, new float[5]);
            else pair.Receive(world.Rank(0), out int _, new float[4]);
        });
        string message = Assert.IsType<FabricException>(outcomes[1]).Message;
        Assert.Contains("20 bytes of values", message, StringComparison.Ordinal);
        Assert.Contains("at most 16", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ring_has_no_slots_for_messages_the_other_way_round()
    {
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, Ring(3, rendezvous: false));
        Ranks.Run(FabricKind.InProcess, world, plan, fabric =>
        {
            var ring = new Communicator(fabric, world.All, reserved);
            var previous = world.Rank((ring.Position + 2) % 3);
            Assert.Throws<InvalidOperationException>(() => ring.Send<int, float>(previous, 0, []));
        });
    }

    private static CommunicatorShape Ring(int ranks, bool rendezvous) => new(ranks)
    {
        MessageBytes = MaxValues * sizeof(float),
        Senders = Senders.Previous,
        Rendezvous = rendezvous,
    };
}
