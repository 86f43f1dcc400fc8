using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>Whether this process may use the AMX tiles for bf16, or why not. Asks, and so changes the process, once.</summary>
internal static class AmxSupport
{
    /// <summary>The environment variable that, if it is 0, switches the tiles off.</summary>
    public const string Switch = "TROUPE_AMX";

    private const int Tile = 1 << 24, Bf16 = 1 << 22, OsXsave = 1 << 27;
    private const int RequestPermission = 0x1023, TileData = 18;

    // errno of Linux.
    private const int Invalid = 22, NoSpace = 28;

    /// <summary>Answers of CPUID to a leaf and a subleaf.</summary>
    internal delegate (int Eax, int Ebx, int Ecx, int Edx) CpuId(int leaf, int subleaf);

    /// <summary>Set by tests where the instructions are emulated: neither the processor nor the system is asked.</summary>
    internal static bool IsEmulated { get; set; }

    /// <summary>Null: they may be used from now on, by all threads of this process. Setting: what the switch is set to.</summary>
    public static string? WhyNot(string? setting)
    {
        if (setting == "0") return $"AMX switched off by {Switch}=0";
        if (IsEmulated) return null;
        if (!X86Base.IsSupported || RuntimeInformation.ProcessArchitecture != Architecture.X64) return "no AMX on this processor";
        return Lacks(X86Base.CpuId) ?? Refused();
    }

    /// <summary>What the processor lacks, or null. Leaves: Intel SDM, volume 2, CPUID.</summary>
    internal static string? Lacks(CpuId cpuId)
    {
        const string None = "no AMX on this processor";
        if (cpuId(0, 0).Eax < 0x1D || (cpuId(1, 0).Ecx & OsXsave) == 0) return None;
        int features = cpuId(7, 0).Edx;
        if ((features & Tile) == 0) return None;
        if ((features & Bf16) == 0) return "no bf16 in this processor's AMX";
        // Palette 1: bytes of a tile; bytes of a row and how many tiles; rows.
        (_, int row, int rows, _) = cpuId(0x1D, 1);
        (int size, int tiles) = ((int)((uint)cpuId(0x1D, 1).Eax >> 16), (int)((uint)row >> 16));
        bool fits = cpuId(0x1D, 0).Eax >= 1 && size >= AmxCode.TileRows * AmxCode.TileBytes && tiles >= 8
            && (row & 0xFFFF) >= AmxCode.TileBytes && (rows & 0xFFFF) >= AmxCode.TileRows;
        return fits ? null : $"AMX tiles smaller than {AmxCode.TileRows} rows of {AmxCode.TileBytes} bytes";
    }

    /// <summary>
    /// Asks the system; why it does not let us, or null. Linux keeps the tiles' state from a process until it asks, and grants it only
    /// where it put both tile bits into XCR0 when it started: XGETBV would tell nothing more. The grant is for all threads
    /// (Documentation/arch/x86/xstate.rst of the kernel).
    /// </summary>
    internal static string? Refused()
    {
        if (!OperatingSystem.IsLinux()) return "AMX is used on Linux alone";
        if (Permit(RequestPermission, TileData) == 0) return null;
        return Marshal.GetLastPInvokeError() switch
        {
            Invalid => "this kernel cannot permit AMX, Linux 5.16 can",
            NoSpace => "no room for AMX on the threads' signal stacks",
            int error => $"the system refused AMX with error {error}",
        };
    }

    [DllImport("libc", EntryPoint = "arch_prctl", ExactSpelling = true, SetLastError = true)]
    private static extern int Permit(int code, nint feature);
}
