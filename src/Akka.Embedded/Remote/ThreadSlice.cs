using System.Runtime.InteropServices;

namespace Akka.Remote;

/// <summary>
/// The slice that the kernel's scheduler gives a thread. Linux 6.12 and later let a thread that wakes run before those of longer slices,
/// even in the middle of theirs: what runs for microseconds at a time need not wait until a thread that computes has had its 3 ms. It
/// gets no more of the processor by it, and needs no right. Elsewhere nothing happens.
/// </summary>
internal static class ThreadSlice
{
    // The shortest that the kernel accepts.
    private const ulong Nanoseconds = 100_000;
    private const uint Ordinary = 0;

    // sched_setattr and sched_getattr: the C library has no names for them on most systems.
    private static readonly (nint Set, nint Get) s_calls = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 when OperatingSystem.IsLinux() => (314, 315),
        Architecture.Arm64 when OperatingSystem.IsLinux() => (274, 275),
        _ => default,
    };

    /// <summary>Makes the calling thread's slices as short as may be, where it is an ordinary one; all else of it stays.</summary>
    public static void Shorten()
    {
        var attributes = default(Attributes);
        if (s_calls.Get == 0 || Syscall(s_calls.Get, 0, ref attributes, Marshal.SizeOf<Attributes>(), 0) != 0) return;
        if (attributes.Policy != Ordinary) return;
        attributes.Runtime = Nanoseconds;
        _ = Syscall(s_calls.Set, 0, ref attributes, 0, 0);
    }

    [DllImport("libc", EntryPoint = "syscall"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Syscall(nint number, nint thread, ref Attributes attributes, nint third, nint fourth);

    /// <summary>struct sched_attr of sched_setattr(2), its first version.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }
}
