using Akka.Cluster;
using Troupe.Testing;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Cluster;

public sealed class ClusterConvergenceTests
{
    [Fact]
    public void After_lost_reordered_and_repeated_gossip_joins_leaves_and_crashes_all_agree()
    {
        var random = Seed.For(nameof(After_lost_reordered_and_repeated_gossip_joins_leaves_and_crashes_all_agree));
        for (int run = 0; run < 100; run++) RunOnce(random);
    }

    private static void RunOnce(Random random)
    {
        var cluster = new MembershipSimulation(random);
        // The first one stays: were it to crash while alone in the cluster, nobody could let the others in.
        var first = cluster.Form(0);
        for (int node = 1; node < 5; node++) cluster.StartAndJoin(node, first);
        for (int step = 0; step < 400; step++) Disturb(cluster, random, first);

        for (int attempt = 0; attempt < 5; attempt++)
        {
            cluster.Settle();
            // A process that leaves ends by itself, whether or not the others heard that it was ready.
            foreach (var (node, state) in cluster.Nodes.ToArray())
            {
                if (state.SelfMember is { Status: MemberStatus.Exiting }) cluster.Crash(node);
            }
            foreach (var crashed in cluster.Nodes[first].Gossip.Members.Keys.Except(cluster.Nodes.Keys).ToArray())
                cluster.Apply(first, new MembershipInput.Down(crashed.Address));
            foreach (var (node, state) in cluster.Nodes.ToArray())
            {
                if (state.SelfMember is null) cluster.AskToJoin(node, first);
            }
        }
        cluster.Settle();
        cluster.AssertAgree(cluster.Nodes.Keys);
    }

    private static void Disturb(MembershipSimulation cluster, Random random, UniqueAddress first)
    {
        UniqueAddress Any() => cluster.Nodes.Keys.ElementAt(random.Next(cluster.Nodes.Count));
        var node = Any();
        switch (random.Next(100))
        {
            case 0 when node != first:
                cluster.Crash(node);
                break;
            case 1 when node != first:
                cluster.Apply(Any(), new MembershipInput.Leave(node.Address));
                break;
            case 2:
                int port = random.Next(1, 5);
                bool free = cluster.Nodes.Keys.All(living => living.Address != MembershipSimulation.AddressOf(port));
                if (free) cluster.StartAndJoin(port, Any());
                break;
            case < 6:
                cluster.AskToJoin(node, Any());
                break;
            case < 10:
                // A glance that may be wrong: whom the observer calls unreachable is anybody.
                cluster.Apply(node, new MembershipInput.Observed(random.Next(2) == 0 ? [] : [Any()]));
                break;
            case 10:
                if (cluster.Crashed.Count > 0) cluster.Apply(node, new MembershipInput.Down(cluster.Crashed.First().Address));
                break;
            case < 25:
                cluster.Apply(node, new MembershipInput.GossipTick());
                break;
            default:
                cluster.DeliverOne(loss: 0.2, repeat: 0.05);
                break;
        }
    }
}
