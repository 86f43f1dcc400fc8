using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric;

/// <summary>A window in this process's own memory, zeroed.</summary>
internal sealed unsafe class HeapMemory : IWindowMemory
{
    private const int Alignment = 4096;
    private void* _memory;

    public HeapMemory(long bytes)
    {
        // Zeroed by the allocator, which takes fresh pages for a large block: untouched parts cost nothing.
        _memory = NativeMemory.AllocZeroed(checked((nuint)bytes + Alignment));
        Base = (byte*)(((nuint)_memory + Alignment - 1) / Alignment * Alignment);
    }

    public byte* Base { get; }

    public bool OwnerDied() => false;

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }
}
