using Troupe.Devices.Fabric;

namespace Troupe.Devices.Collectives;

/// <summary>
/// Window space for one <see cref="Exchange"/> at a time between the members of a group: at each member two slots per other member, used
/// in turn. Every rank of the world reserves it, for groups of the same size; groups that share no rank may use the same reservation at
/// the same time.
/// </summary>
public sealed class ExchangePlan
{
    /// <summary>The most parts that one member sends to another in one exchange.</summary>
    public const int MaxParts = 12;

    internal const int HeaderBytes = 64;
    private const int PartAlignment = 64;

    private readonly Region _slots;

    private ExchangePlan(int members, long slotBytes, Region slots, FlagRange flags) =>
        (Members, SlotBytes, _slots, Flag) = (members, slotBytes, slots, flags.First);

    /// <summary>Members of the groups that may use it.</summary>
    public int Members { get; }

    internal long SlotBytes { get; }

    /// <summary>The flag that counts exchanges.</summary>
    internal int Flag { get; }

    /// <summary>Reserves for groups of this size. <paramref name="partBytes"/>: how large each part may get, in bytes.</summary>
    public static ExchangePlan Reserve(WindowPlan plan, int members, params ReadOnlySpan<long> partBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(members, 1);
        long slot = HeaderBytes;
        foreach (long bytes in partBytes) slot = checked(slot + Align(bytes));
        slot = (slot + 127) / 128 * 128;
        // A member sends nothing to itself: a group of one needs no space at all.
        return new ExchangePlan(members, slot, plan.Reserve(checked(2 * (members - 1) * slot)), plan.ReserveFlags(members > 1 ? 1 : 0));
    }

    /// <summary>Where the slot of a source lies at a destination; both are positions in the group.</summary>
    internal Region Slot(int source, int destination, int parity) =>
        _slots.Slice((2 * (source > destination ? source - 1 : source) + parity) * SlotBytes, SlotBytes);

    internal static long Align(long bytes) => (bytes + PartAlignment - 1) / PartAlignment * PartAlignment;
}
