using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// Sockets as the kernel has them. The runtime's own Socket, once used asynchronously, wakes a thread of its own for every arrival, which
/// would take the core from the rank that the arrival is for.
/// </summary>
internal static unsafe class Sockets
{
    public const short Readable = 1, Writable = 4;

    private const int InternetV4 = 2, InternetV6 = 10;
    private const int Stream = 1, NonBlocking = 0x800, CloseOnExec = 0x80000;
    private const int NoSignal = 0x4000;
    private const int ProtocolTcp = 6, TcpNoDelay = 1;
    private const int ShutdownWrite = 1, InProgress = 115;

    /// <summary>A descriptor and what to look for on it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Found;
    }

    /// <summary>A piece of memory in a gathered write or scattered read.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Piece(byte* start, long length)
    {
        public byte* Start = start;
        public nint Length = (nint)length;
    }

    /// <summary>Starts to connect a new non-blocking socket; whether it worked shows when it becomes writable.</summary>
    public static int BeginConnect(IPEndPoint to)
    {
        var address = to.Serialize();
        int family = to.AddressFamily == AddressFamily.InterNetwork ? InternetV4 : InternetV6;
        int descriptor = NewSocket(family, Stream | NonBlocking | CloseOnExec, 0);
        if (descriptor < 0) return -1;
        fixed (byte* bytes = address.Buffer.Span)
        {
            bool begun = ConnectCall(descriptor, bytes, (uint)address.Size) == 0 || Marshal.GetLastPInvokeError() == InProgress;
            if (begun) return Prepared(descriptor);
        }
        Close(descriptor);
        return -1;
    }

    /// <summary>The next connection of a listener, non-blocking; -1 when none waits.</summary>
    public static int Accept(int listener)
    {
        int descriptor = AcceptCall(listener, null, null, NonBlocking | CloseOnExec);
        return descriptor < 0 ? -1 : Prepared(descriptor);
    }

    /// <summary>Bytes written, or a negative error number.</summary>
    public static long Write(int descriptor, Piece* pieces, int count)
    {
        var message = new Message { Pieces = pieces, Count = (nuint)count };
        return Result(SendMessage(descriptor, &message, NoSignal));
    }

    /// <summary>Bytes read, 0 at the end, or a negative error number.</summary>
    public static long Read(int descriptor, Piece* pieces, int count)
    {
        var message = new Message { Pieces = pieces, Count = (nuint)count };
        return Result(ReceiveMessage(descriptor, &message, 0));
    }

    /// <summary>Writes one piece; as <see cref="Write(int, Piece*, int)"/>.</summary>
    public static long Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            var piece = new Piece(start, bytes.Length);
            return Write(descriptor, &piece, 1);
        }
    }

    /// <summary>Reads into one piece; as <see cref="Read(int, Piece*, int)"/>.</summary>
    public static long Read(int descriptor, Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            var piece = new Piece(start, bytes.Length);
            return Read(descriptor, &piece, 1);
        }
    }

    /// <summary>Sleeps until one of the entries is ready; a time that is not over in whole milliseconds is rounded up.</summary>
    public static void Poll(PollEntry* entries, int count, TimeSpan timeout) =>
        _ = PollCall(entries, (nuint)count, (int)Math.Clamp(Math.Ceiling(timeout.TotalMilliseconds), 0, int.MaxValue));

    /// <summary>
    /// Ends a connection so that the peer still gets what was sent: a socket closed with unread bytes in it would reset the connection
    /// instead.
    /// </summary>
    public static void CloseGently(int descriptor)
    {
        _ = Shutdown(descriptor, ShutdownWrite);
        Span<byte> rest = stackalloc byte[4096];
        while (Read(descriptor, rest) > 0) { }
        Close(descriptor);
    }

    public static void Close(int descriptor) => _ = Libc.Close(descriptor);

    private static int Prepared(int descriptor)
    {
        int on = 1;
        _ = SetOption(descriptor, ProtocolTcp, TcpNoDelay, &on, sizeof(int));
        return descriptor;
    }

    private static long Result(nint result) => result >= 0 ? result : -Marshal.GetLastPInvokeError();

    [DllImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static extern int NewSocket(int family, int type, int protocol);

    [DllImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static extern int ConnectCall(int descriptor, byte* address, uint length);

    [DllImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static extern int AcceptCall(int descriptor, byte* address, uint* length, int flags);

    [DllImport("libc", EntryPoint = "setsockopt")]
    private static extern int SetOption(int descriptor, int level, int option, int* value, uint length);

    [DllImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static extern nint SendMessage(int descriptor, Message* message, int flags);

    [DllImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static extern nint ReceiveMessage(int descriptor, Message* message, int flags);

    [DllImport("libc", EntryPoint = "poll")]
    private static extern int PollCall(PollEntry* entries, nuint count, int milliseconds);

    [DllImport("libc", EntryPoint = "shutdown")]
    private static extern int Shutdown(int descriptor, int how);

    /// <summary>struct msghdr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public void* Name;
        public uint NameLength;
        public Piece* Pieces;
        public nuint Count;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
