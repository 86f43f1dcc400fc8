using System.Runtime.InteropServices;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>Machine code that stays for the life of the process, in pages of its own.</summary>
internal static unsafe class CodeMemory
{
    private const int ReadWrite = 1 | 2, ReadExecute = 1 | 4, PrivateAnonymous = 2 | 32;

    /// <summary>Where the code now is, at the start of a page; 0 where memory may not become code. Never written to again.</summary>
    public static nint Place(ReadOnlySpan<byte> code)
    {
        void* memory = MMap(null, code.Length, ReadWrite, PrivateAnonymous, -1, 0);
        if (memory == (void*)-1) return 0;
        code.CopyTo(new Span<byte>(memory, code.Length));
        if (MProtect(memory, code.Length, ReadExecute) == 0) return (nint)memory;
        _ = MUnmap(memory, code.Length);
        return 0;
    }

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* MMap(void* at, nint bytes, int access, int flags, int file, long offset);

    [DllImport("libc", EntryPoint = "mprotect", ExactSpelling = true)]
    private static extern int MProtect(void* at, nint bytes, int access);

    [DllImport("libc", EntryPoint = "munmap", ExactSpelling = true)]
    private static extern int MUnmap(void* at, nint bytes);
}
