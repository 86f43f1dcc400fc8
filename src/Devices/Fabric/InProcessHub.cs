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
            return new HubMemory(block, this, name);
        }
    }

    internal IWindowMemory? Find(string name)
    {
        lock (_gate)
        {
            if (!_blocks.TryGetValue(name, out var block)) return null;
            block.Users++;
            return new HubMemory(block, this, name);
        }
    }

    private void Release(HeapBlock block, string name)
    {
        lock (_gate)
        {
            if (--block.Users > 0) return;
            _blocks.Remove(name);
            block.Memory.Dispose();
        }
    }

    /// <summary>Memory that lives until the last rank that addresses it lets go.</summary>
    private sealed class HeapBlock(long bytes)
    {
        public HeapMemory Memory { get; } = new(bytes);

        public int Users { get; set; } = 1;
    }

    private sealed unsafe class HubMemory(HeapBlock block, InProcessHub hub, string name) : IWindowMemory
    {
        private bool _released;

        public byte* Base => block.Memory.Base;

        public bool OwnerDied() => false;

        public void Dispose()
        {
            if (_released) return;
            _released = true;
            hub.Release(block, name);
        }
    }
}
