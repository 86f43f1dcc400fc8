using BenchmarkDotNet.Attributes;
using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>A device of this machine, and inputs.</summary>
public abstract class KernelBenchmark : IWorks, IDisposable
{
    private CpuDevice? _device;

    /// <summary>How weights may be stored or packed on this machine.</summary>
    public static IEnumerable<ElementType> Types => Enum.GetValues<ElementType>()
        .Where(type => type != ElementType.F16 && (type != ElementType.PackedBf16 || CpuDevice.MultipliesBf16));

    private protected Inputs Inputs { get; } = new();

    private protected IKernels Kernels => _device!.Kernels;

    private protected void Open() => _device = new CpuDevice(Inputs.Threads);

    /// <summary>Gives all memory back.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _device?.Dispose();
        Inputs.Dispose();
        GC.SuppressFinalize(this);
    }

    Work IWorks.Of(string method) => Of(method);

    private protected abstract Work Of(string method);

    /// <summary>Bytes of a weight before there is one.</summary>
    private protected static double Bytes(ElementType type, int rows, int columns) => type switch
    {
        _ when type.IsPanel() => Panels.Bytes(type, rows, columns),
        ElementType.MxFp4 => rows * (columns / 2.0 + columns / Elements.Group),
        _ => (double)rows * columns * type.Size(),
    };
}
