using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>A part of every rank's window: the same offset and length on all ranks. Both in bytes.</summary>
public readonly record struct Region(long Offset, long Length)
{
    /// <summary>A part of this region.</summary>
    public Region Slice(long offset, long length) => offset >= 0 && length >= 0 && offset + length <= Length
        ? new Region(Offset + offset, length)
        : throw new ArgumentOutOfRangeException(nameof(length), $"[{offset}, {offset + length}) is not inside a region of {Length} bytes");
}

/// <summary>Some flags that every rank can set at every other: flag i of rank s at rank d is a counter that only s raises and only d waits
/// on.</summary>
public readonly record struct FlagRange(int First, int Count)
{
    /// <summary>The flag at a position.</summary>
    public int this[int index] => (uint)index < (uint)Count
        ? First + index
        : throw new ArgumentOutOfRangeException(nameof(index), $"flag must be in [0, {Count}), got {index}");
}

/// <summary>
/// Lays out the one symmetric window of a world before it is created. Every rank makes the same reservations in the same order,
/// so that an offset means the same thing everywhere; <see cref="Signature"/> lets the set-up check that.
/// </summary>
public sealed class WindowPlan
{
    private const int Alignment = 128;
    private ulong _signature = 14695981039346656037UL;

    /// <summary>Bytes reserved so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Flags per source rank reserved so far.</summary>
    public int Flags { get; private set; }

    /// <summary>Whether a window was made of this plan, so that it can grow no more.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>A hash (FNV-1a) of all reservations: equal on all ranks, or the plans differ.</summary>
    public ulong Signature => _signature;

    /// <summary>Bytes of a rank's whole window in a world of this many ranks: what was reserved, flags of each rank, headers.</summary>
    public long WindowBytes(int ranks) => new WindowLayout(ranks, this).TotalBytes;

    /// <summary>Reserves bytes, aligned to 128 (two cache lines: neighbours are prefetched in pairs).</summary>
    public Region Reserve(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ThrowIfSealed();
        var region = new Region(Bytes, bytes);
        Bytes = checked(Bytes + ((bytes + Alignment - 1) / Alignment * Alignment));
        Mix((ulong)bytes);
        return region;
    }

    /// <summary>Reserves flags.</summary>
    public FlagRange ReserveFlags(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ThrowIfSealed();
        var range = new FlagRange(Flags, count);
        Flags = checked(Flags + count);
        Mix((ulong)count + 0x1_0000_0000_0000UL);
        return range;
    }

    internal void Seal() => IsSealed = true;

    private void ThrowIfSealed()
    {
        if (IsSealed)
            throw new InvalidOperationException("the window of this plan exists already: make all reservations before Fabrics.Open");
    }

    private void Mix(ulong value) => _signature = (_signature ^ value) * 1099511628211UL;
}
