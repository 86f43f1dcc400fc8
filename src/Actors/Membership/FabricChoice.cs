namespace Troupe.Actors.Membership;

/// <summary>The fabric of an epoch, chosen once all ranks are known; pure.</summary>
/// <param name="Fabric">Its name.</param>
/// <param name="Warning">What was wanted, why it is not used and how to get it; null where nothing stands in the way.</param>
public sealed record FabricChoice(string Fabric, string? Warning = null)
{
    /// <summary>
    /// The fabric that was asked for, whatever comes of it. For auto: shared memory where all ranks share it, both where some do, else tcp.
    /// Windows need room in the shared memory of each host: where one has too little, all ranks use tcp, because a rank that cannot make
    /// its window would end the epoch. The count of what is free is a forecast: whoever reserves may still find it gone, and says so.
    /// </summary>
    /// <param name="asked">A fabric's name, or auto.</param>
    /// <param name="ranks">The nodes in rank order.</param>
    /// <param name="hosts">The host of every rank, as configured or found out.</param>
    /// <param name="windowBytes">Bytes of one rank's window.</param>
    public static FabricChoice Of(string asked, IReadOnlyList<NodeEntry> ranks, IReadOnlyList<string> hosts, long windowBytes)
    {
        if (asked != "auto") return new FabricChoice(asked);
        string wanted = ranks.All(n => n.SharesMemory) ? "shm"
            : hosts.Distinct(StringComparer.Ordinal).Count() < hosts.Count ? "mixed" : "tcp";
        if (wanted == "tcp") return new FabricChoice(wanted);
        foreach (IGrouping<string, NodeEntry> memory in ranks.GroupBy(MemoryOf, StringComparer.Ordinal))
        {
            (int count, long free) = (memory.Count(), memory.Min(n => n.SharedFreeBytes));
            if (free < count * windowBytes)
            {
                string where = string.Join(", ", memory.Select(n => n.Rank));
                return new FabricChoice("tcp", Warn(wanted, where, count * windowBytes, free));
            }
        }
        return new FabricChoice(wanted);
    }

    /// <summary>Ranks that see the control node's probe share one memory, and so do those of one address, whatever their hosts are
    /// called.</summary>
    private static string MemoryOf(NodeEntry node) => node.SharesMemory ? "" : node.Join.Address.Split(':')[0];

    private static string Warn(string wanted, string ranks, long need, long free)
    {
        long needMiB = (need + (1 << 20) - 1) >> 20;
        return $"fabric auto: {wanted} was wanted, but the windows of rank {ranks} need {needMiB} MiB of /dev/shm and {free >> 20} MiB are "
            + $"free; tcp is used for all ranks; for {wanted}, enlarge /dev/shm (docker run --shm-size {needMiB}m, compose shm_size)";
    }
}
