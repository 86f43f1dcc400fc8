using System.Runtime.InteropServices;

namespace Troupe.Devices.Tests.All2All;

/// <summary>An array that the collector leaves where it is, as callers of a dispatch owe it.</summary>
internal sealed class Pinned<T>(T[] values) : IDisposable
    where T : unmanaged
{
    private GCHandle _handle = GCHandle.Alloc(values, GCHandleType.Pinned);

    public Span<T> Span => values;

    public void Dispose() => _handle.Free();
}

internal static class Pinned
{
    public static Pinned<T> Of<T>(T[] values)
        where T : unmanaged => new(values);
}
