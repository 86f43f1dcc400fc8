using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Tests.All2All;

/// <summary>Several strategies of one rank over one window.</summary>
internal sealed class Groups(IFabric fabric, All2AllWindow? window, All2AllShape shape, ExpertPlacement placement, Hosts hosts,
    IReadOnlyList<Strategy> strategies) : IDisposable
{
    private readonly IAll2All[] _made = [.. strategies.Select(s =>
        Strategies.Make(s, fabric, fabric.World.All, window, shape, new Epoch(1), placement, hosts))];

    public int Count => _made.Length;

    public IAll2All this[int index] => _made[index];

    /// <summary>The strategies that are legal for so many ranks on so many hosts over a fabric.</summary>
    public static Strategy[] Legal(FabricKind kind, int ranks, int hosts) =>
        [.. Strategies.Available.Where(s => Strategies.Problem(s, new GroupTraits(ranks,
            kind is FabricKind.InProcess or FabricKind.SharedMemory, hosts)) is null)];

    public static StepPoint At(int step, int layer = 0) =>
        new(new Epoch(1), new StepId(step), new LayerIndex(layer), StepPhase.Route);

    /// <summary>Experts that hand each row back, times a factor.</summary>
    public static DispatchHandle Identity(DispatchHandle handle, float factor)
    {
        float[] row = new float[handle.Hidden];
        for (int i = 0; i < handle.Rows; i++)
        {
            handle.Await(i);
            handle.Decode(i, i + 1, row);
            handle.Encode(i, i + 1, row.Select(v => v * factor).ToArray());
        }
        return handle;
    }

    public void Dispose()
    {
        foreach (IAll2All made in _made) made.Dispose();
    }
}
