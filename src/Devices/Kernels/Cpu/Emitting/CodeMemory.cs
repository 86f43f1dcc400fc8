using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>Memory that becomes code, and which instructions the processor has for it.</summary>
internal static unsafe class CodeMemory
{
    private const int ReadWrite = 1 | 2, ReadExecute = 1 | 4, PrivateAnonymous = 2 | 32;

    /// <summary>Writes code.</summary>
    public delegate void Writer(byte* at, byte* end);

    /// <summary>Code of at most some bytes; null where memory may not become code. It stays for the life of the process.</summary>
    public static byte* Write(int bytes, Writer write)
    {
        void* memory = MMap(null, bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (memory == (void*)-1) return null;
        write((byte*)memory, (byte*)memory + bytes);
        return MProtect(memory, bytes, ReadExecute) == 0 ? (byte*)memory : null;
    }

    /// <summary>Whether the processor multiplies pairs of bf16: AVX512_BF16, CPUID leaf 7, subleaf 1, EAX bit 5 (Intel SDM, vol. 2).</summary>
    public static bool MultipliesPairs { get; } = IsPossible && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax >> 5 & 1) != 0;

    /// <summary>Whether it multiplies fours of bytes: AVX512_VNNI, CPUID leaf 7, ECX bit 11.</summary>
    public static bool MultipliesFours { get; } = IsPossible && (X86Base.CpuId(7, 0).Ecx >> 11 & 1) != 0;

    // What the operating system must do for AVX-512, .NET looked at.
    private static bool IsPossible => Avx512BW.IsSupported && OperatingSystem.IsLinux()
        && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* MMap(void* at, nint bytes, int access, int flags, int file, long offset);

    [DllImport("libc", EntryPoint = "mprotect", ExactSpelling = true)]
    private static extern int MProtect(void* at, nint bytes, int access);
}
