using System.Globalization;

namespace Troupe.Devices.Fabric;

/// <summary>
/// What a rank publishes about its half of a fabric: an address and who it is. Every rank checks all of them before it touches anything,
/// so that a difference is told in the same words everywhere.
/// </summary>
internal static class FabricDescriptor
{
    private const char Separator = ';';

    public static string Of(FabricSetup setup, string address)
    {
        var id = FabricIdentity.Of(setup);
        return string.Join(Separator,
            address, id.Version, id.Epoch, id.WorldSize, id.Rank, id.PlanBytes, id.Flags, id.PlanSignature.ToString("x16"));
    }

    /// <summary>The addresses of all ranks.</summary>
    /// <exception cref="FabricSetupException">A descriptor is missing, is none, or is of another set-up.</exception>
    public static string[] Addresses(FabricSetup setup, IReadOnlyList<string> descriptors)
    {
        if (descriptors.Count != setup.World.Size)
        {
            throw new FabricSetupException(setup.Self,
                $"got {descriptors.Count} descriptors for {setup.World.Size} ranks: one each, in rank order");
        }
        var mine = FabricIdentity.Of(setup);
        string[] addresses = new string[descriptors.Count];
        for (int rank = 0; rank < addresses.Length; rank++)
        {
            if (!TryRead(descriptors[rank], mine.Magic, out addresses[rank], out var theirs))
            {
                throw new FabricSetupException(setup.Self,
                    $"'{descriptors[rank]}', given for rank {rank}, describes no fabric: pass on what Descriptor says");
            }
            if (mine.Refuses(theirs, rank) is { } problem) throw new FabricSetupException(setup.Self, problem);
        }
        return addresses;
    }

    private static bool TryRead(string descriptor, ulong magic, out string address, out FabricIdentity id)
    {
        string[] parts = descriptor.Split(Separator);
        (address, id) = (parts[0], default);
        if (parts.Length != 8
            || !int.TryParse(parts[1], out int version) || !long.TryParse(parts[2], out long epoch)
            || !int.TryParse(parts[3], out int worldSize) || !int.TryParse(parts[4], out int rank)
            || !long.TryParse(parts[5], out long planBytes) || !int.TryParse(parts[6], out int flags)
            || !ulong.TryParse(parts[7], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong signature)) return false;
        id = new FabricIdentity
        {
            Magic = magic,
            Version = version,
            Epoch = epoch,
            WorldSize = worldSize,
            Rank = rank,
            PlanBytes = planBytes,
            Flags = flags,
            PlanSignature = signature,
        };
        return true;
    }
}
