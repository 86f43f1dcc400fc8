using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric;

/// <summary>The calls of the C library that fabrics need, as Linux on x64 and arm64 has them.</summary>
internal static unsafe class Libc
{
    public const int ReadWrite = 2, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000;
    public const int LockShared = 1, LockExclusive = 2, LockNonBlocking = 4;
    public const int ProtectReadWrite = 3, MapShared = 1, MapPopulate = 0x8000;
    public const int Interrupted = 4, WouldBlock = 11, Exists = 17, NoSpace = 28;

    private const int FutexWaitOperation = 0, FutexWakeOperation = 1;

    private static readonly nint FutexCall = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 98 : 202;

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    public static extern int Open(string path, int flags, uint mode);

    [DllImport("libc", EntryPoint = "close")]
    public static extern int Close(int descriptor);

    [DllImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static extern int Lock(int descriptor, int operation);

    [DllImport("libc", EntryPoint = "posix_fallocate")]
    public static extern int Allocate(int descriptor, long offset, long length);

    [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static extern nint Map(nint address, nint length, int protection, int flags, int descriptor, long offset);

    [DllImport("libc", EntryPoint = "munmap")]
    public static extern int Unmap(nint address, nint length);

    [DllImport("libc", EntryPoint = "syscall")]
    private static extern nint FutexSyscall(nint number, uint* word, nint operation, nint value, TimeSpec* timeout, nint unused, nint bits);

    /// <summary>
    /// Sleeps while the word holds the value, until woken or the timeout passes; returns early for no reason now and then. Not the private
    /// kind: the word may lie in memory that processes share.
    /// </summary>
    public static void FutexWait(uint* word, uint value, TimeSpan timeout)
    {
        if (!OperatingSystem.IsLinux())
        {
            Thread.Yield();
            return;
        }
        long ticks = timeout.Ticks;
        var limit = new TimeSpec { Seconds = ticks / TimeSpan.TicksPerSecond, Nanoseconds = ticks % TimeSpan.TicksPerSecond * 100 };
        FutexSyscall(FutexCall, word, FutexWaitOperation, (nint)value, &limit, 0, 0);
    }

    /// <summary>Wakes the one thread that sleeps on the word, if any does.</summary>
    public static void FutexWake(uint* word)
    {
        if (OperatingSystem.IsLinux()) FutexSyscall(FutexCall, word, FutexWakeOperation, 1, null, 0, 0);
    }

    /// <summary>What the last failed call said.</summary>
    public static string LastError() => Marshal.GetLastPInvokeErrorMessage();

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
