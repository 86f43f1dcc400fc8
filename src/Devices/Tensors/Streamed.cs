using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Tensors;

/// <summary>
/// Writes memory that another core reads next, past the caches. A line that a peer read last time lies in the peer's cache: an ordinary
/// store must take it back first, one line after the other, and then the peer must fetch it from this core's cache. A non-temporal store
/// of a whole line takes nothing back (bench/results has what that gave).
/// <para>Streamed stores wait for nothing but a fence, and the flag that announces them is one: fabrics raise flags by a locked
/// instruction, with which x86 reorders no store, and by a releasing one elsewhere. So what is to be kept is what holds for ordinary stores
/// too: <see cref="Fabric.IFabric.Notify"/> after them.</para>
/// <para>Not for memory that this core reads soon: it would come from main memory. Where the processor has no such stores, they are
/// ordinary ones.</para>
/// </summary>
public static unsafe class Streamed
{
    /// <summary>
    /// Bytes for one reader from which on it is worth it. What is streamed comes back from main memory, which takes two µs whatever its
    /// size; ordinary stores take 7 to 35 ns a line, by how far apart the cores are. So at 8 KiB streaming takes 1.6 times as long where
    /// they are near, and half as long where they are far.
    /// </summary>
    public const int Least = 8192;

    private const int Line = 64;

    /// <summary>Whether a place can be written line by line: it begins at one.</summary>
    public static bool IsAligned(void* to) => ((nint)to & (Line - 1)) == 0;

    /// <summary>Copies; whole lines are streamed, what lies before and behind them is not.</summary>
    public static void Copy(byte* from, byte* to, long bytes)
    {
        long at = -(nint)to & (Line - 1);
        if (at >= bytes) at = bytes;
        if (at > 0) Unsafe.CopyBlockUnaligned(to, from, (uint)at);
        for (; at <= bytes - Line; at += Line) Vector512.Load(from + at).StoreAlignedNonTemporal(to + at);
        if (at < bytes) Unsafe.CopyBlockUnaligned(to + at, from + at, (uint)(bytes - at));
    }
}
