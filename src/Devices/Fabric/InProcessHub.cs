using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric;

/// <summary>Where the ranks of one process find each other's windows. One hub may serve several worlds, told apart by their
/// session.</summary>
public sealed class InProcessHub
{
    private readonly Dictionary<string, HeapBlock> _blocks = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    internal IWindowMemory Create(string name, long bytes)
    {
        lock (_gate)
        {
            if (_blocks.ContainsKey(name))
                throw new InvalidOperationException($"{name} exists already: two worlds of one hub need different sessions");
            var block = new HeapBlock(bytes);
            _blocks.Add(name, block);
            return new HeapMemory(block, this, name);
        }
    }

    internal IWindowMemory? Find(string name)
    {
        lock (_gate)
        {
            if (!_blocks.TryGetValue(name, out var block)) return null;
            block.Users++;
            return new HeapMemory(block, this, name);
        }
    }

    private void Release(HeapBlock block, string name)
    {
        lock (_gate)
        {
            if (--block.Users > 0) return;
            _blocks.Remove(name);
            block.Free();
        }
    }

    /// <summary>Zeroed memory that lives until the last rank that addresses it lets go.</summary>
    private sealed unsafe class HeapBlock
    {
        private const int Alignment = 4096;
        private readonly void* _memory;

        public HeapBlock(long bytes)
        {
            // Zeroed by the allocator, which takes fresh pages for a large block: untouched parts cost nothing.
            _memory = NativeMemory.AllocZeroed(checked((nuint)bytes + Alignment));
            Base = (byte*)(((nuint)_memory + Alignment - 1) / Alignment * Alignment);
        }

        public byte* Base { get; }

        public int Users { get; set; } = 1;

        public void Free() => NativeMemory.Free(_memory);
    }

    private sealed unsafe class HeapMemory(HeapBlock block, InProcessHub hub, string name) : IWindowMemory
    {
        private bool _released;

        public byte* Base => block.Base;

        public bool OwnerDied() => false;

        public void Dispose()
        {
            if (_released) return;
            _released = true;
            hub.Release(block, name);
        }
    }
}
