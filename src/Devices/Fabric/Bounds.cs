using System.Diagnostics.CodeAnalysis;

namespace Troupe.Devices.Fabric;

/// <summary>The checks of arguments that all fabrics share.</summary>
internal static class Bounds
{
    public static void CheckRegion(Region region, long planBytes)
    {
        if (region.Offset < 0 || region.Length is < 0 or > int.MaxValue || region.Offset > planBytes - region.Length)
            ThrowRegion(region, planBytes);
    }

    public static void CheckFlag(int flag, int flags)
    {
        if ((uint)flag >= (uint)flags) ThrowFlag(flag, flags);
    }

    [DoesNotReturn]
    public static void ThrowLength(Region region, int source) => throw new ArgumentException(
        $"a Put fills its region: got {source} bytes for a region of {region.Length}; take a Slice of the region", nameof(source));

    [DoesNotReturn]
    private static void ThrowRegion(Region region, long planBytes) => throw new ArgumentOutOfRangeException(nameof(region),
        $"region [{region.Offset}, {region.Offset + region.Length}) must lie in the window of {planBytes} bytes and be under 2 GiB; "
        + "is it a reservation of this plan?");

    [DoesNotReturn]
    private static void ThrowFlag(int flag, int flags) => throw new ArgumentOutOfRangeException(nameof(flag),
        $"flag must be in [0, {flags}), got {flag}; is it a reservation of this plan?");
}
