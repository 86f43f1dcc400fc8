using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>Which instructions the processor has that .NET 10 has no name for. CPUID: Intel SDM, volume 2.</summary>
internal static class Processor
{
    // The system's part, saving 512-bit registers, .NET looked at; and its switches for tests turn these off, too.
    private static readonly bool s_possible = Avx512BW.IsSupported && OperatingSystem.IsLinux()
        && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>VDPBF16PS, pairs of bf16: AVX512_BF16, leaf 7, subleaf 1, EAX bit 5.</summary>
    public static bool MultipliesPairs { get; } =
        s_possible && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax >> 5 & 1) != 0;

    /// <summary>VPDPBUSD, fours of bytes: AVX512_VNNI, leaf 7, ECX bit 11.</summary>
    public static bool MultipliesFours { get; } = s_possible && (X86Base.CpuId(7, 0).Ecx >> 11 & 1) != 0;
}
