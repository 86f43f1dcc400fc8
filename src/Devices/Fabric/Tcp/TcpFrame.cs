using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>The head of everything on a data connection.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcpFrame
{
    public const int Size = 16;

    private const ulong NotifyBit = 1UL << 63, BellOnly = ulong.MaxValue;

    private ulong _what;

    /// <summary>Bytes that follow, or the value of a flag.</summary>
    public ulong Amount;

    /// <summary>Bytes for a place in the window; they follow.</summary>
    public static TcpFrame Put(Region region) => new() { _what = (ulong)region.Offset, Amount = (ulong)region.Length };

    /// <summary>A flag and its new value.</summary>
    public static TcpFrame Notify(int flag, ulong value) => new() { _what = NotifyBit | (uint)flag, Amount = value };

    /// <summary>Nothing but a reason to wake up: the flag was raised in shared memory.</summary>
    public static TcpFrame Bell => new() { _what = BellOnly };

    public readonly bool IsBell => _what == BellOnly;

    public readonly bool IsNotify => (_what & NotifyBit) != 0;

    /// <summary>Offset in the window, or the flag.</summary>
    public readonly ulong Target => _what & ~NotifyBit;

    /// <summary>Whether the frame stays within a window. A frame that does not is the end of its connection.</summary>
    public readonly bool Fits(long planBytes, int flags) => IsNotify
        ? IsBell || Target < (ulong)flags
        : Target <= (ulong)planBytes && Amount <= (ulong)planBytes - Target;

    public override readonly string ToString() => IsNotify ? $"flag {Target}" : $"{Amount} bytes at {Target}";
}
