using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Devices.Tests;

/// <summary>Worlds and fabrics that contract tests run over.</summary>
public static class Worlds
{
    public static FabricKind[] Fabrics { get; } = [FabricKind.InProcess, FabricKind.SharedMemory, FabricKind.Tcp, FabricKind.Mixed];

    public static TheoryData<FabricKind> Kinds() => [.. Fabrics];

    /// <summary>One stage of so many replicas.</summary>
    public static World Of(int ranks) => new(new Layout(1, ranks, 1));
}
