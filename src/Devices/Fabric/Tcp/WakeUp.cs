using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>Something to poll that another thread can make ready: once set it stays set.</summary>
internal sealed unsafe class WakeUp : IDisposable
{
    private const int NonBlockingCloseOnExec = 0x80800;

    public WakeUp()
    {
        Descriptor = NewEvent(0, NonBlockingCloseOnExec);
        if (Descriptor < 0) throw new IOException($"eventfd failed: {Libc.LastError()}");
    }

    public int Descriptor { get; }

    public void Set()
    {
        ulong one = 1;
        _ = Write(Descriptor, &one, sizeof(ulong));
    }

    public void Dispose() => Sockets.Close(Descriptor);

    [DllImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static extern int NewEvent(uint value, int flags);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int descriptor, void* bytes, nuint count);
}
