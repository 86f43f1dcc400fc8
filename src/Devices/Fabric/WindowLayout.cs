using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric;

/// <summary>
/// Where things lie in a window that peers address directly: identity, doorbell, status, abort record, then a block of flags per source
/// rank, then the planned bytes. Each block starts 128 bytes after its neighbour at least, so that no two writers share a cache line.
/// </summary>
internal sealed class WindowLayout
{
    public const int BellOffset = 128, StatusOffset = 256, AbortOffset = 384, ClosedOffset = 896;
    private const int FlagsOffset = 1024, Line = 128, Page = 4096;

    private readonly long _flagStride;

    public WindowLayout(int ranks, WindowPlan plan)
    {
        Flags = plan.Flags;
        PlanBytes = plan.Bytes;
        // Each source has one flag more than planned: the one that says, at set-up, that it has mapped this window.
        _flagStride = RoundUp((1 + (long)Flags) * sizeof(ulong), Line);
        DataOffset = RoundUp(FlagsOffset + ranks * _flagStride, Page);
        TotalBytes = checked(DataOffset + RoundUp(Math.Max(PlanBytes, 1), Page));
    }

    /// <summary>The flag of the set-up, as an index for <see cref="FlagOffset"/>.</summary>
    public const int HelloFlag = -1;

    public int Flags { get; }

    public long PlanBytes { get; }

    public long DataOffset { get; }

    public long TotalBytes { get; }

    public long FlagOffset(int source, int flag) => FlagsOffset + source * _flagStride + (1 + flag) * sizeof(ulong);

    private static long RoundUp(long value, long unit) => checked((value + unit - 1) / unit * unit);
}

/// <summary>Why an epoch was aborted, as it lies in every window. The first to claim it writes it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbortRecord
{
    public const int MaxReason = 496;
    public const uint None = 0, Claimed = 1, Published = 2;

    public uint State;
    public int Culprit;
    public int ReasonLength;
    public fixed byte Reason[MaxReason];
}

/// <summary>The memory behind one window, as one rank sees it.</summary>
internal unsafe interface IWindowMemory : IDisposable
{
    byte* Base { get; }

    /// <summary>Whether the process that made the window has ended. Costs a system call.</summary>
    bool OwnerDied();
}
