using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>What a world needs that spans hosts: memory within one, sockets between them, and no difference to be seen.</summary>
public sealed class MixedTests
{
    private const int RanksPerHost = 3, Size = 7; // hosts of 3, 3 and 1
    private static readonly FabricOptions Options = Ranks.Options with { Hosts = Ranks.PerHost(RanksPerHost) };

    [Fact]
    public void Windows_are_mapped_within_a_host_and_nowhere_else()
    {
        var world = Worlds.Of(Size);
        var plan = new WindowPlan();
        var boxes = world.Ranks.Select(_ => plan.Reserve(64)).ToArray();
        var flags = plan.ReserveFlags(2);
        Ranks.Run(FabricKind.Mixed, world, plan, fabric =>
        {
            // One window, two ways into it: neighbours store where sockets deliver.
            foreach (var peer in world.Ranks)
            {
                bool near = peer.Value / RanksPerHost == fabric.Self.Value / RanksPerHost;
                Assert.Equal(near, fabric.TryMap(peer, boxes[fabric.Self.Value], out var mapped));
                if (near) mapped.Fill((byte)fabric.Self.Value);
                else fabric.Put(peer, boxes[fabric.Self.Value], Filled(fabric.Self));
                fabric.Notify(peer, flags[0], 1);
            }
            Assert.Equal(64L * (Size - (fabric.Self.Value == Size - 1 ? 1 : RanksPerHost)), fabric.BytesSent);
            foreach (var peer in world.Ranks)
            {
                fabric.Wait(peer, flags[0], 1);
                Assert.Equal(Filled(peer), fabric.Local(boxes[peer.Value]).ToArray());
                fabric.Notify(peer, flags[1], 1);
            }
            foreach (var peer in world.Ranks) fabric.Wait(peer, flags[1], 1);
        }, Options);

        static byte[] Filled(RankId rank) => [.. Enumerable.Repeat((byte)rank.Value, 64)];
    }

    [Fact]
    public void Who_sleeps_for_a_neighbour_is_woken_by_it_and_by_nothing_else()
    {
        const int rounds = 300;
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        // No nap ends by itself, and three ranks on few cores sleep often: a bell that is lost would be the end.
        var options = Ranks.Options with { Hosts = Ranks.PerHost(3), LongestNap = TimeSpan.FromHours(1),
            WaitDeadline = TimeSpan.FromHours(1) };
        Ranks.Run(FabricKind.Mixed, world, plan, fabric =>
        {
            var next = world.Rank((fabric.Self.Value + 1) % world.Size);
            var previous = world.Rank((fabric.Self.Value + 2) % world.Size);
            for (ulong round = 1; round <= rounds; round++)
            {
                if (fabric.Self.Value == 0) fabric.Notify(next, flags[0], round);
                fabric.Wait(previous, flags[0], round);
                if (fabric.Self.Value != 0) fabric.Notify(next, flags[0], round);
            }
        }, options);
    }

    [Fact]
    public void A_rank_that_sleeps_for_a_neighbour_still_reads_what_another_host_sends()
    {
        const int large = 32 << 20; // more than sockets hold
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var box = plan.Reserve(large);
        var flags = plan.ReserveFlags(2);
        Ranks.Run(FabricKind.Mixed, world, plan, fabric =>
        {
            switch (fabric.Self.Value)
            {
                case 0: // waits for its neighbour first, which waits for the other host, which cannot go on before rank 0 reads
                    fabric.Wait(world.Rank(1), flags[0], 1);
                    fabric.Wait(world.Rank(2), flags[0], 1);
                    Assert.Equal(-1, fabric.Local(box).IndexOfAnyExcept((byte)5));
                    fabric.Notify(world.Rank(2), flags[1], 1);
                    break;
                case 1:
                    fabric.Wait(world.Rank(2), flags[0], 1);
                    fabric.Notify(world.Rank(0), flags[0], 1);
                    break;
                default:
                    byte[] bytes = new byte[large];
                    Array.Fill(bytes, (byte)5);
                    fabric.Put(world.Rank(0), box, bytes);
                    fabric.Notify(world.Rank(0), flags[0], 1);
                    fabric.Notify(world.Rank(1), flags[0], 1);
                    fabric.Wait(world.Rank(0), flags[1], 1);
                    break;
            }
        }, Ranks.Options with { Hosts = Ranks.PerHost(2) });
    }

    [Fact]
    public void A_neighbour_that_gives_up_is_named_and_what_it_stored_before_has_arrived()
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(8);
        var flags = plan.ReserveFlags(2);
        var outcomes = Ranks.Outcomes(FabricKind.Mixed, world, plan, fabric =>
        {
            if (fabric.Self.Value == 0)
            {
                fabric.Put(world.Rank(1), box, BitConverter.GetBytes(812L));
                fabric.Notify(world.Rank(1), flags[0], 1);
                return;
            }
            fabric.Wait(world.Rank(0), flags[0], 1);
            Assert.Equal(812L, BitConverter.ToInt64(fabric.Local(box)));
            fabric.Wait(world.Rank(0), flags[1], 1);
        }, Ranks.Options with { Hosts = Ranks.PerHost(2) });
        Assert.Null(outcomes[0]);
        var ended = Assert.IsType<FabricException>(outcomes[1]);
        Assert.Equal(world.Rank(0), ended.Culprit);
        Assert.Contains("closed its fabric connection", ended.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_labels_ranks_that_see_each_others_memory_share_a_host()
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(8);
        var hub = new InProcessHub();
        string session = Ranks.NewSession();
        IFabricEndpoint[] ends = [.. world.Ranks.Select(rank =>
            Fabrics.Open(FabricKind.Mixed, new FabricSetup(world, rank, new Epoch(1), plan, Ranks.Options, session), hub))];
        string[] descriptors = [.. ends.Select(end => end.Descriptor)];
        Assert.All(descriptors, descriptor => Assert.InRange(descriptor.Length, 1, 199));
        IFabric? second = null;
        var thread = new Thread(() => second = ends[1].Connect(descriptors));
        thread.Start();
        using var first = ends[0].Connect(descriptors);
        Assert.True(thread.Join(Ranks.Limit));
        Assert.True(first.TryMap(world.Rank(1), box, out _));
        Assert.Equal("mixed", first.Name);
        foreach (string descriptor in descriptors) Assert.False(HostProbe.Sees(descriptor.Split('|')[1]), "a name was left behind");
        second!.Dispose();
    }

    [Fact]
    public void A_tcp_address_is_not_taken_for_a_mixed_one()
    {
        var world = Worlds.Of(2);
        FabricSetup Setup(int rank) => new(world, world.Rank(rank), new Epoch(1), new WindowPlan(), Ranks.Options, "same");
        using var mixed = Fabrics.Open(FabricKind.Mixed, Setup(0));
        using var tcp = Fabrics.Open(FabricKind.Tcp, Setup(1));
        string message = Assert.Throws<FabricSetupException>(() => mixed.Connect([mixed.Descriptor, tcp.Descriptor])).Message;
        Assert.Contains("do all ranks use the same --fabric?", message, StringComparison.Ordinal);
    }
}
