using System.Runtime.InteropServices;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// The stack on which Linux tells a thread that it touched what it must not, from which .NET makes a NullReferenceException. A thread that
/// used AMX tiles has 8 KiB more to put there, and .NET's own, 12 KiB where .NET was built for old systems, has no room for that: the
/// exception would be the end of the process.
/// </summary>
internal static unsafe class SignalStack
{
    /// <summary>Bytes of a wide one.</summary>
    public const int Bytes = 64 * 1024;

    private const int OnStack = 1, Disabled = 2;
    private const int NoAccess = 0, ReadWrite = 1 | 2, PrivateAnonymous = 2 | 32;

    [ThreadStatic]
    private static bool t_isWide;

    [StructLayout(LayoutKind.Sequential)]
    private struct Stack
    {
        public byte* At;
        public int Flags;
        public nint Bytes;
    }

    /// <summary>
    /// Gives this thread a wide one, once. At a thread's end .NET returns the one it has to the system, by address and length, so this one
    /// is mapped like .NET's own, the page that ends it included; that narrow one stays mapped.
    /// </summary>
    public static void Widen()
    {
        if (t_isWide) return;
        t_isWide = true;
        Stack now, wide;
        if (SigAltStack(null, &now) != 0 || (now.Flags & (OnStack | Disabled)) != 0 || now.Bytes >= Bytes) return;
        int page = Environment.SystemPageSize;
        var memory = (byte*)MMap(null, Bytes + page, ReadWrite, PrivateAnonymous, -1, 0);
        if (memory == (byte*)-1) return;
        wide = new Stack { At = memory, Bytes = Bytes + page };
        if (MProtect(memory, page, NoAccess) != 0 || SigAltStack(&wide, null) != 0) _ = MUnmap(memory, Bytes + page);
    }

    /// <summary>Bytes of this thread's, the page that ends it included; 0: it has none.</summary>
    internal static long Size()
    {
        Stack now;
        return SigAltStack(null, &now) == 0 && (now.Flags & Disabled) == 0 ? now.Bytes : 0;
    }

    [DllImport("libc", EntryPoint = "sigaltstack", ExactSpelling = true)]
    private static extern int SigAltStack(Stack* to, Stack* before);

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* MMap(void* at, nint bytes, int access, int flags, int file, long offset);

    [DllImport("libc", EntryPoint = "mprotect", ExactSpelling = true)]
    private static extern int MProtect(void* at, nint bytes, int access);

    [DllImport("libc", EntryPoint = "munmap", ExactSpelling = true)]
    private static extern int MUnmap(void* at, nint bytes);
}
