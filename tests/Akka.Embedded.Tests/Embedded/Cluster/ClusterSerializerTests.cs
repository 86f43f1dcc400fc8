using Akka.Actor;
using Akka.Cluster;
using Akka.Remote;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Cluster;

public sealed class ClusterSerializerTests
{
    private static readonly UniqueAddress Node = new(MembershipSimulation.AddressOf(1), -5);
    private readonly ClusterSerializer _serializer = new(null);

    [Fact]
    public void Gossip_survives_the_wire()
    {
        var gossip = SomeGossip();
        var read = RoundTrip(new GossipEnvelope(Node, true, gossip));
        Assert.Equal((Node, true, gossip.Digest), (read.From, read.Welcome, read.Gossip.Digest));
        Assert.Equal(gossip.Members.Values.Select(m => m.ToString()), read.Gossip.Members.Values.Select(m => m.ToString()));
        Assert.Equal(gossip.Removed.OrderBy(e => e.Key), read.Gossip.Removed.OrderBy(e => e.Key));
        Assert.Equal(gossip.Unreachable, read.Gossip.Unreachable);
        Assert.All(gossip.Members.Keys, node => Assert.Equal(gossip.IsSeenBy(node), read.Gossip.IsSeenBy(node)));
        Assert.Equal(gossip.Digest, gossip.Merge(read.Gossip).Digest);
    }

    [Fact]
    public void A_join_survives_the_wire()
    {
        var read = RoundTrip(new JoinRequest(Node, ["rank", "gpu"]));
        Assert.Equal(Node, read.Node);
        Assert.True(read.Roles.SetEquals(["rank", "gpu"]));
    }

    [Fact]
    public void Damaged_gossip_is_refused_or_read_but_nothing_else_happens()
    {
        var random = Seed.For(nameof(Damaged_gossip_is_refused_or_read_but_nothing_else_happens));
        byte[] bytes = _serializer.ToBinary(new GossipEnvelope(Node, false, SomeGossip()));
        int refused = 0;
        for (int run = 0; run < 20_000; run++)
        {
            byte[] damaged = Damaged(bytes, random);
            try
            {
                _serializer.FromBinary(damaged, "G");
            }
            catch (WireException)
            {
                refused++;
            }
        }
        Assert.True(refused > 10_000);
    }

    [Fact]
    public void Damaged_frames_are_refused_or_read_but_nothing_else_happens()
    {
        var random = Seed.For(nameof(Damaged_frames_are_refused_or_read_but_nothing_else_happens));
        byte[] bytes = Frames.Hello(new Hello(Node.Address, 5, Node.Address)).ToArray();
        for (int run = 0; run < 20_000; run++)
        {
            byte[] damaged = Damaged(bytes, random);
            try
            {
                var frame = Frames.Next(damaged, Frames.MaxHelloBytes);
                if (frame.Length > 0) Frames.ReadHello(frame[1..]);
            }
            catch (WireException)
            {
                // Refused, which is what we want.
            }
        }
    }

    /// <summary>Cut short somewhere, with up to three bytes changed.</summary>
    private static byte[] Damaged(byte[] bytes, Random random)
    {
        byte[] damaged = bytes[..random.Next(bytes.Length + 1)];
        for (int flips = random.Next(4); flips > 0 && damaged.Length > 0; flips--)
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
        return damaged;
    }

    private T RoundTrip<T>(T message) => (T)_serializer.FromBinary(_serializer.ToBinary(message), _serializer.Manifest(message));

    private static Gossip SomeGossip()
    {
        var cluster = new MembershipSimulation(Seed.For(nameof(ClusterSerializerTests)));
        var first = cluster.Form(0);
        UniqueAddress[] others = [.. Enumerable.Range(1, 4).Select(node => cluster.StartAndJoin(node, first))];
        cluster.Settle();
        cluster.Apply(first, new MembershipInput.Down(others[0].Address));
        cluster.Settle();
        cluster.Crash(others[1]);
        cluster.Settle();
        cluster.Apply(others[2], new MembershipInput.Leave(others[2].Address));
        return cluster.Nodes[first].Gossip;
    }
}
