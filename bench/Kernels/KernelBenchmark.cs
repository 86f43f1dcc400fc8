using BenchmarkDotNet.Attributes;
using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>How products of fast devices round.</summary>
public enum Arithmetic
{
    /// <summary>Rows stay as they are.</summary>
    Exact,

    /// <summary>Rows may be rounded to bf16 where the processor multiplies bf16.</summary>
    Fast,
}

/// <summary>A device of this machine, and inputs.</summary>
public abstract class KernelBenchmark : IWorks, IDisposable
{
    private CpuDevice? _device;

    private protected Inputs Inputs { get; } = new();

    private protected IKernels Kernels => _device!.Kernels;

    private protected void Open(Arithmetic arithmetic = Arithmetic.Exact) =>
        _device = new CpuDevice(Inputs.Threads, arithmetic == Arithmetic.Fast);

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
        ElementType.Int8 or ElementType.Int4 => Quantised.Bytes(type, rows, columns),
        ElementType.MxFp4 => rows * (columns / 2.0 + columns / Elements.Group),
        _ => (double)rows * columns * type.Size(),
    };
}
