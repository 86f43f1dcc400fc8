using Troupe.Devices.All2All;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;

namespace Troupe.Model.Tests.Layers;

/// <summary>How members exchange rows; with halves, there is a second way for the second half.</summary>
internal sealed record Exchange(Strategy Strategy, Hosts Hosts)
{
    public bool Halves { get; init; }
}

/// <summary>
/// The exchange between members that are threads of one process, over the fabric of one process; tensor ranks follow each other.
/// </summary>
internal sealed class InMemoryGroup : IDisposable
{
    private readonly IFabric?[] _fabrics;
    private readonly IAll2All[] _members, _second = [];
    private readonly Communicator[] _tensor = [];

    public InMemoryGroup(ExpertPlacement placement, All2AllShape shape, Exchange? exchange = null, int tensor = 1, long tensorBytes = 0)
    {
        int members = placement.Members;
        (Strategy strategy, Hosts hosts) = exchange is null
            ? (Strategies.Fallback, Hosts.One(members)) : (exchange.Strategy, exchange.Hosts);
        var plan = new WindowPlan();
        All2AllShape half = shape with { MaxTokens = shape.MaxTokens / 2 };
        All2AllWindow? window = All2AllWindow.Reserve(plan, members, shape, hosts);
        All2AllWindow? second = exchange?.Halves == true ? All2AllWindow.Reserve(plan, members, half, hosts) : null;
        var sums = CommunicatorPlan.Reserve(plan, new CommunicatorShape(tensor) { CollectiveBytes = tensorBytes });
        var world = new World(new Layout(1, members / tensor, tensor));
        _fabrics = members == 1 ? [null] : Connect(world, plan);
        if (tensor > 1)
            _tensor = [.. _fabrics.Select((fabric, member) => new Communicator(fabric!, world.TensorRanks(0, member / tensor), sums))];
        _members = Make(window, shape);
        if (second is not null) _second = Make(second, half);

        IAll2All[] Make(All2AllWindow? window, All2AllShape shape) => [.. _fabrics.Select(fabric =>
            Strategies.Make(strategy, fabric!, fabric?.World.All!, window, shape, new Epoch(1), placement, hosts))];
    }

    public IAll2All this[int member] => _members[member];

    /// <summary>The tensor ranks of a member's replica.</summary>
    public ICommunicator Tensor(int member) => _tensor[member];

    /// <summary>The way of a member's second half; null without halves.</summary>
    public IAll2All? Second(int member) => _second.Length > 0 ? _second[member] : null;

    public void Dispose()
    {
        foreach (IAll2All member in _members.Concat(_second)) member.Dispose();
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
