using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>The files of shared memory: enough room, or an error at start; never a name left behind.</summary>
public sealed class SharedMemoryTests
{
    private const string Folder = "/dev/shm";

    [Fact]
    public void A_window_larger_than_what_is_free_is_refused_at_once_with_the_numbers_and_a_way_out()
    {
        var world = Worlds.Of(4);
        var plan = new WindowPlan();
        plan.Reserve(new DriveInfo(Folder).AvailableFreeSpace + (1L << 40));
        string session = Ranks.NewSession();
        string message = Assert.Throws<FabricSetupException>(() => Open(world, plan, session)).Message;
        Assert.Matches(@"^rank 0: /dev/shm has \d+ MiB free, this rank's window needs \d+ MiB \(all 4 ranks \d+ MiB\)", message);
        Assert.Contains("--fabric tcp", message, StringComparison.Ordinal);
        Assert.Contains("shm_size", message, StringComparison.Ordinal);
        Assert.Empty(FilesOf(session));
    }

    [Fact]
    public void Names_vanish_once_all_ranks_are_connected()
    {
        var world = Worlds.Of(3);
        string session = Ranks.NewSession();
        IFabricEndpoint[] endpoints = [.. world.Ranks.Select(rank =>
            Fabrics.Open(FabricKind.SharedMemory, new FabricSetup(world, rank, new Epoch(1), new WindowPlan(), Ranks.Options, session)))];
        Assert.Equal(3, FilesOf(session).Length);
        string[] descriptors = [.. endpoints.Select(endpoint => endpoint.Descriptor)];
        var fabrics = new IFabric[3];
        Thread[] threads = [.. endpoints.Select((endpoint, i) => new Thread(() => fabrics[i] = endpoint.Connect(descriptors)))];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) Assert.True(thread.Join(Ranks.Limit));
        Assert.Empty(FilesOf(session));
        foreach (var fabric in fabrics) fabric.Dispose();
    }

    [Fact]
    public void An_endpoint_that_is_not_connected_removes_its_name()
    {
        string session = Ranks.NewSession();
        using (Open(Worlds.Of(2), new WindowPlan(), session)) Assert.Single(FilesOf(session));
        Assert.Empty(FilesOf(session));
    }

    [Fact]
    public void Leftovers_of_dead_setups_are_removed_and_live_ones_stay()
    {
        string dead = Path.Combine(Folder, $"troupe-{Ranks.NewSession()}-0"); // nobody holds its lock
        File.WriteAllBytes(dead, new byte[5000]);
        string live = Ranks.NewSession();
        using var neighbour = Open(Worlds.Of(2), new WindowPlan(), live);
        using var next = Open(Worlds.Of(2), new WindowPlan(), Ranks.NewSession());
        Assert.False(File.Exists(dead));
        Assert.Single(FilesOf(live));
    }

    [Fact]
    public void Two_setups_cannot_share_a_session()
    {
        string session = Ranks.NewSession();
        using var first = Open(Worlds.Of(2), new WindowPlan(), session);
        string message = Assert.Throws<FabricSetupException>(() => Open(Worlds.Of(2), new WindowPlan(), session)).Message;
        Assert.Contains("another set-up uses this session name", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_probe_is_seen_on_its_host_for_as_long_as_it_lives()
    {
        using var probe = HostProbe.TryCreate();
        Assert.True(HostProbe.Sees(probe!.Name));
        probe.Dispose();
        Assert.False(HostProbe.Sees(probe.Name));
        Assert.False(HostProbe.Sees("../etc/passwd"));
    }

    private static IFabricEndpoint Open(World world, WindowPlan plan, string session) =>
        Fabrics.Open(FabricKind.SharedMemory, new FabricSetup(world, world.Rank(0), new Epoch(1), plan, Ranks.Options, session));

    private static string[] FilesOf(string session) => Directory.GetFiles(Folder, $"troupe-{session}-*");
}
