using System.Runtime.Intrinsics;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>This machine's cores and vector units. Owns its threads.</summary>
public sealed class CpuDevice : IDevice
{
    private readonly WorkerPool _pool;

    /// <summary>A device of some threads, the caller's included; one thread starts none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 or more than 1024 threads.</exception>
    public CpuDevice(int threads)
    {
        _pool = new WorkerPool(threads);
        Kernels = new CpuKernels(_pool);
    }

    /// <inheritdoc/>
    public string Name => $"cpu ({VectorBits}-bit vectors, {Threads} {(Threads == 1 ? "thread" : "threads")})";

    /// <inheritdoc/>
    public int Threads => _pool.Threads;

    /// <inheritdoc/>
    public IKernels Kernels { get; }

    /// <summary>Bits of the widest vectors that this machine computes with.</summary>
    public static int VectorBits => Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>Whether weights may be <see cref="ElementType.PackedBf16"/>: the processor multiplies bf16.</summary>
    public static bool MultipliesBf16 => PairLoops.IsSupported || AmxTiles.IsSupported;

    /// <summary>What fast products of bf16 weights are made by on this machine, and why not by something faster.</summary>
    public static string Bf16Products => AmxTiles.WhyNot is not { } why ? "AMX tiles"
        : PairLoops.IsSupported ? $"VDPBF16PS ({why})" : $"fp32 (no AVX512_BF16; {why})";

    /// <summary>Ends its threads.</summary>
    public void Dispose() => _pool.Dispose();
}
