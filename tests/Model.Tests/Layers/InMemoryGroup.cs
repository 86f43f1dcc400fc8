using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;

namespace Troupe.Model.Tests.Layers;

/// <summary>The exchange between members that are threads of one process, over the fabric of one process.</summary>
internal sealed class InMemoryGroup : IDisposable
{
    private readonly IFabric?[] _fabrics;
    private readonly IAll2All[] _members;

    public InMemoryGroup(ExpertPlacement placement, All2AllShape shape)
    {
        int members = placement.Members;
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, members, shape);
        _fabrics = members == 1 ? [null] : Connect(new World(new Layout(1, members, 1)), plan);
        _members = [.. _fabrics.Select(fabric => Strategies.Make(Strategies.Fallback, fabric!, fabric?.World.All!, window, shape,
            new Epoch(1), placement, Hosts.One(members)))];
    }

    public IAll2All this[int member] => _members[member];

    public void Dispose()
    {
        foreach (IAll2All member in _members) member.Dispose();
        foreach (IFabric? fabric in _fabrics) fabric?.Dispose();
    }

    private static IFabric?[] Connect(World world, WindowPlan plan)
    {
        var hub = new InProcessHub();
        string session = Ranks.NewSession();
        IFabricEndpoint[] endpoints = [.. world.Ranks.Select(rank =>
            Fabrics.Open(FabricKind.InProcess, new FabricSetup(world, rank, new Epoch(1), plan, Ranks.Options, session), hub))];
        string[] descriptors = [.. endpoints.Select(e => e.Descriptor)];
        var fabrics = new IFabric?[world.Size];
        Thread[] threads = [.. world.Ranks.Select(rank => new Thread(() =>
            fabrics[rank.Value] = endpoints[rank.Value].Connect(descriptors)))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        return fabrics;
    }
}
