using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Troupe.Actors.Routing;
using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>Finds out what this machine offers by trying it.</summary>
internal static class DeviceProbe
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>Looks at everything; takes about a second.</summary>
    public static DevicesResult Look(TimeProvider clock) => new(
        Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
        new SimdResult(CpuDevice.VectorBits, [.. Features()]), CpuDevice.Bf16Products,
        new AvailabilityResult("onednn", false, "not used: --math fast multiplies bf16 by code of this build's own"),
        [.. Enum.GetValues<FabricKind>().Select(kind => Fabric(kind, clock))],
        [.. Strategies.Names.Select(Strategy)]);

    private static IEnumerable<string> Features()
    {
        (string Name, bool Has)[] known =
        [
            ("sse4.2", Sse42.IsSupported), ("avx", Avx.IsSupported), ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported),
            ("avx512f", Avx512F.IsSupported), ("avx512bw", Avx512BW.IsSupported), ("avx512vbmi", Avx512Vbmi.IsSupported),
            ("avx512_bf16", CpuDevice.MultipliesBf16),
            ("neon", AdvSimd.IsSupported), ("dot product", Dp.IsSupported),
        ];
        return known.Where(k => k.Has).Select(k => k.Name);
    }

    private static AvailabilityResult Strategy(string name)
    {
        Resolution resolution = Strategies.Resolve(name);
        return resolution.Warning is null
            ? new AvailabilityResult(name, true, resolution.Use == Strategies.Fallback ? "always legal; the fallback" : "legal here")
            : new AvailabilityResult(name, false, "not available in this build");
    }

    /// <summary>Two ranks of this process connect over the fabric, and measure what their link costs.</summary>
    private static AvailabilityResult Fabric(FabricKind kind, TimeProvider clock)
    {
        string name = Fabrics.NameOf(kind);
        var world = new World(new Layout(1, 2, 1));
        var hub = new InProcessHub();
        byte[] secret = Fabrics.NewSecret();
        string session = $"probe-{Guid.NewGuid():N}";
        var endpoints = new List<IFabricEndpoint>();
        CalibrationPlan calibration = null!;
        try
        {
            foreach (RankId rank in world.Ranks)
            {
                var plan = new WindowPlan();
                calibration = CalibrationPlan.Reserve(plan);
                var setup = new FabricSetup(world, rank, new Epoch(1), plan, new FabricOptions(Deadline, Deadline, secret), session);
                endpoints.Add(Fabrics.Open(kind, setup, hub));
            }
            string[] descriptors = [.. endpoints.Select(e => e.Descriptor)];
            Task<IFabric>[] connecting = [.. endpoints.Select(e => Task.Factory.StartNew(
                () => e.Connect(descriptors), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            using IFabric first = connecting[0].GetAwaiter().GetResult(), second = connecting[1].GetAwaiter().GetResult();
            Task<LinkCalibration>[] measuring = [.. new[] { first, second }.Select(fabric => Task.Factory.StartNew(
                () => new Calibration(fabric, world.All, calibration, clock).Measure(),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            LinkCalibration[] measured = Task.WhenAll(measuring).GetAwaiter().GetResult();
            return new AvailabilityResult(name, true, $"{Says(kind)}; {LinkTable.Describe(measured)}");
        }
        catch (Exception e) when (e is FabricSetupException or FabricException or IOException or UnauthorizedAccessException
            or System.Net.Sockets.SocketException or ArgumentException or PlatformNotSupportedException or DllNotFoundException)
        {
            return new AvailabilityResult(name, false, e.Message.ReplaceLineEndings(" "));
        }
        finally
        {
            foreach (IFabricEndpoint endpoint in endpoints) endpoint.Dispose();
        }
    }

    private static string Says(FabricKind kind) => kind switch
    {
        FabricKind.InProcess => "threads of one process (--in-process)",
        FabricKind.SharedMemory => "processes of one host, through /dev/shm",
        FabricKind.Tcp => "processes anywhere, through sockets",
        _ => "processes of several hosts: /dev/shm within each, sockets between them",
    };
}
