using System.Security.Cryptography;
using Troupe.Devices.Fabric.Tcp;

namespace Troupe.Devices.Fabric;

/// <summary>The fabrics by name, and how to open one.</summary>
public static class Fabrics
{
    private const string Auto = "auto";

    private static readonly (string Name, FabricKind Kind)[] Known =
    [
        ("inprocess", FabricKind.InProcess),
        ("shm", FabricKind.SharedMemory),
        ("tcp", FabricKind.Tcp),
        ("mixed", FabricKind.Mixed),
    ];

    /// <summary>Every name that <see cref="Parse"/> takes, for help texts.</summary>
    public static string Names { get; } = string.Join(", ", Known.Select(known => known.Name).Prepend(Auto));

    /// <summary>What users call a fabric.</summary>
    public static string NameOf(FabricKind kind) => Known.First(known => known.Kind == kind).Name;

    /// <summary>The fabric of a name that a user wrote; <paramref name="whenAuto"/> is the caller's choice for <c>auto</c>.</summary>
    /// <exception cref="ArgumentException">No such fabric: the message lists the known ones.</exception>
    public static FabricKind Parse(string name, FabricKind whenAuto)
    {
        if (name == Auto) return whenAuto;
        foreach (var (known, kind) in Known)
            if (known == name) return kind;
        throw new ArgumentException($"unknown fabric '{name}'; known are {Names}", nameof(name));
    }

    /// <summary>A secret for <see cref="FabricOptions"/>: 128 random bits.</summary>
    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(FabricOptions.SecretBytes);

    /// <summary>
    /// Makes this rank's half of a fabric: its window and, on tcp, its listener. Seals the plan. <paramref name="hub"/> is the meeting
    /// place of the ranks of this process; only <see cref="FabricKind.InProcess"/> needs it.
    /// </summary>
    /// <exception cref="FabricSetupException">The window or the listener cannot be made; says what to do.</exception>
    public static IFabricEndpoint Open(FabricKind kind, FabricSetup setup, InProcessHub? hub = null)
    {
        setup.Validate();
        if (kind != FabricKind.InProcess && !OperatingSystem.IsLinux())
            throw new FabricSetupException(setup.Self, $"fabric {NameOf(kind)} needs Linux: use --fabric inprocess, or a container");
        setup.Plan.Seal();
        return kind switch
        {
            FabricKind.InProcess => new InProcessEndpoint(setup, hub ?? throw new ArgumentNullException(nameof(hub),
                "ranks of one process meet in an InProcessHub: make one and give it to each of them")),
            FabricKind.SharedMemory => SharedMemoryEndpoint.Open(setup),
            FabricKind.Tcp => TcpEndpoint.Open(setup),
            FabricKind.Mixed => MixedEndpoint.Open(setup),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, $"known fabrics are {Names}"),
        };
    }
}
