using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Cluster;

/// <summary>Membership machines with a network between them that delays, reorders, repeats and loses what the test tells it to.</summary>
internal sealed class MembershipSimulation(Random random, int minMembers = 1)
{
    private readonly List<(UniqueAddress To, MembershipInput Message)> _wire = [];
    private int _uids;

    /// <summary>The living.</summary>
    public SortedDictionary<UniqueAddress, Membership> Nodes { get; } = [];

    public HashSet<UniqueAddress> Crashed { get; } = [];

    public int InFlight => _wire.Count;

    public static Address AddressOf(int node) => new("akka.tcp", "test", "10.0.0.1", 1000 + node);

    /// <summary>A node that has not joined yet.</summary>
    public UniqueAddress Start(int node)
    {
        var self = new UniqueAddress(AddressOf(node), ++_uids);
        Nodes[self] = new Membership(self, minMembers, Gossip.Empty);
        return self;
    }

    public UniqueAddress Form(int node)
    {
        var self = Start(node);
        Apply(self, new MembershipInput.Join(self, []));
        return self;
    }

    public UniqueAddress StartAndJoin(int node, UniqueAddress contact)
    {
        var self = Start(node);
        AskToJoin(self, contact);
        return self;
    }

    /// <summary>Asking oneself would form a cluster of one's own.</summary>
    public void AskToJoin(UniqueAddress self, UniqueAddress contact)
    {
        if (self != contact) _wire.Add((contact, new MembershipInput.Join(self, [])));
    }

    public void Crash(UniqueAddress node)
    {
        if (Nodes.Remove(node)) Crashed.Add(node);
    }

    public void Apply(UniqueAddress node, MembershipInput input)
    {
        if (!Nodes.TryGetValue(node, out var before)) return;
        var (after, outputs) = before.Step(input);
        Nodes[node] = after;
        foreach (var output in outputs)
        {
            _wire.Add((output.To, output.Welcome
                ? new MembershipInput.Welcomed(after.Gossip) : new MembershipInput.Received(node, after.Gossip)));
        }
        if (after.SelfMember?.Status == MemberStatus.Exiting && before.SelfMember?.Status != MemberStatus.Exiting)
        {
            foreach (var other in Nodes.Keys) _wire.Add((other, new MembershipInput.ReadyToExit(node)));
        }
        if (after.IsExpelled) Nodes.Remove(node);
        else if (after.MayLead) Apply(node, new MembershipInput.Lead());
    }

    /// <summary>Delivers one message of the many, any of them; or loses it.</summary>
    public void DeliverOne(double loss = 0, double repeat = 0)
    {
        if (_wire.Count == 0) return;
        int at = random.Next(_wire.Count);
        var (to, message) = _wire[at];
        if (random.NextDouble() >= repeat) _wire.RemoveAt(at);
        if (random.NextDouble() >= loss) Apply(to, message);
    }

    /// <summary>Delivers everything, and lets time pass, until the views stay as they are.</summary>
    public void Settle()
    {
        for (int round = 0; round < 60; round++)
        {
            foreach (var node in Nodes.Keys.ToArray())
            {
                if (Nodes.TryGetValue(node, out var state))
                    Apply(node, new MembershipInput.Observed([.. state.Gossip.Members.Keys.Where(other => !Nodes.ContainsKey(other))]));
                Apply(node, new MembershipInput.GossipTick());
            }
            for (int limit = 0; _wire.Count > 0; limit++)
            {
                Assert.True(limit < 20_000, "gossip never comes to rest");
                DeliverOne();
            }
        }
    }

    private string Describe() => string.Join("\n", Nodes.Select(entry => $"{entry.Key}: "
        + string.Join("; ", entry.Value.Gossip.Members.Values.Select(m => $"{m}, seen: {entry.Value.Gossip.IsSeenBy(m.UniqueAddress)}"))
        + $" unreachable {string.Join(",", entry.Value.Gossip.Unreachable)}"));

    /// <summary>All living nodes see exactly these, Up, and agree in everything that they publish.</summary>
    public void AssertAgree(IEnumerable<UniqueAddress> expected)
    {
        UniqueAddress[] wanted = [.. expected.Order()];
        foreach (var (node, state) in Nodes)
        {
            Assert.Equal(wanted, state.Gossip.Members.Keys);
            Assert.All(state.Gossip.Members.Values, member => Assert.Equal(MemberStatus.Up, member.Status));
            Assert.True(state.Gossip.IsConverged(node), $"{node} sees no convergence: {Describe()}");
            Assert.Equal(Nodes.Values.First().Gossip.Digest, state.Gossip.Digest);
            Assert.Equal(wanted[0], state.Gossip.Leader(node).UniqueAddress);
        }
        Assert.Equal(wanted.Length, Nodes.Values.First().Gossip.Members.Values.Select(member => member.UpNumber).Distinct().Count());
    }
}
