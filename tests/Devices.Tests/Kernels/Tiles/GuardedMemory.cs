namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>The parts of this process's memory that interpreted code may touch.</summary>
internal sealed unsafe class GuardedMemory
{
    private readonly List<(ulong From, ulong To, bool Writable, string Name)> _parts = [];

    /// <summary>Lets code read, and perhaps write, some bytes.</summary>
    public void Allow(void* at, long bytes, string name, bool writable = false) =>
        _parts.Add(((ulong)at, (ulong)at + (ulong)bytes, writable, name));

    /// <summary>Bytes to read.</summary>
    public ReadOnlySpan<byte> Read(ulong at, int bytes) => Part(at, bytes, writing: false);

    /// <summary>Bytes to write.</summary>
    public Span<byte> Write(ulong at, int bytes) => Part(at, bytes, writing: true);

    private Span<byte> Part(ulong at, int bytes, bool writing)
    {
        foreach ((ulong from, ulong to, bool writable, _) in _parts)
            if (at >= from && at + (ulong)bytes <= to && (writable || !writing)) return new Span<byte>((void*)at, bytes);
        string near = string.Join(", ", _parts.Select(p => $"{p.Name} [{p.From:x}, {p.To:x})").Take(8));
        throw new MachineFaultException($"{(writing ? "writes" : "reads")} {bytes} bytes at {at:x}, outside of {near}");
    }
}

/// <summary>Interpreted code did what a processor, or the caller, would not let it do.</summary>
internal sealed class MachineFaultException(string message) : Exception(message);
