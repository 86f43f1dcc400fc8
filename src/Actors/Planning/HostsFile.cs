using System.Globalization;
using Troupe.Actors.Configuration;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Planning;

/// <summary>A host that may have ranks.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Slots">Ranks that it may have.</param>
/// <param name="MemoryBytes">Memory that they may take; null where the file does not say.</param>
public sealed record HostSlots(string Name, int Slots, long? MemoryBytes);

/// <summary>The hosts of a cluster to be: one a line, <c>name slots [memory GiB]</c>; '#' starts a comment.</summary>
/// <param name="Name">The file's, for messages.</param>
/// <param name="Hosts">In the order of the file.</param>
public sealed record HostsFile(string Name, IReadOnlyList<HostSlots> Hosts)
{
    private const double MostGiB = 1 << 20;

    /// <summary>Reads a hosts file.</summary>
    /// <exception cref="ConfigException">A line that is none, or a host that stands twice; names the file and the line.</exception>
    public static HostsFile Parse(string name, string text)
    {
        var hosts = new List<HostSlots>();
        var lines = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        foreach ((int index, string line) in text.Split('\n').Index())
        {
            string[] words = line.Split('#')[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0) continue;
            HostSlots host = Host(words, name, index + 1);
            if (lines.TryGetValue(host.Name, out int before))
                throw ConfigException.At(name, index + 1,
                    $"host {host.Name} stands in line {before} already; add its slots up in one line");
            lines[host.Name] = index + 1;
            hosts.Add(host);
        }
        return hosts.Count > 0 ? new HostsFile(name, hosts)
            : throw new ConfigException($"{name}: no host; each line is: name slots [memory GiB]");
    }

    /// <summary>Puts ranks on the hosts in order, each host filled before the next: neighbours in rank, which talk most, share
    /// one.</summary>
    /// <param name="world">The ranks.</param>
    /// <param name="named">The host that each rank asks for by name, in rank order; empty to fill in order.</param>
    /// <param name="withinHost">How ranks of one host reach each other.</param>
    /// <exception cref="ConfigException">Too few slots, or a host that the file does not have.</exception>
    public RankTopology Place(World world, IReadOnlyList<string> named, LinkClass withinHost)
    {
        if (named.Count > 0) return new RankTopology(world, Named(world, named), withinHost);
        if (Hosts.Sum(h => (long)h.Slots) is var slots && slots < world.Size)
        {
            string sum = string.Join(" + ", Hosts.Select(h => $"{h.Slots}"));
            throw new ConfigException($"{Name}: {world.Layout} = {world.Size} ranks, but {Hosts.Count} host{(Hosts.Count == 1 ? " has"
                : "s have")} {(Hosts.Count == 1 ? "" : $"{sum} = ")}{slots} slots; add hosts, or use fewer ranks");
        }
        return new RankTopology(world, [.. Hosts.SelectMany(h => Enumerable.Repeat(h.Name, h.Slots)).Take(world.Size)], withinHost);
    }

    private IReadOnlyList<string> Named(World world, IReadOnlyList<string> named)
    {
        if (named.Count != world.Size)
            throw new ConfigException(
                $"troupe.fabric.host names the hosts of {named.Count} ranks, but {world.Layout} = {world.Size} ranks");
        foreach (IGrouping<string, string> ranks in named.GroupBy(h => h, StringComparer.Ordinal))
        {
            if (Hosts.FirstOrDefault(h => string.Equals(h.Name, ranks.Key, StringComparison.Ordinal)) is not { } host)
                throw new ConfigException($"{Name}: unknown host {ranks.Key}, which troupe.fabric.host names; the file has "
                    + string.Join(", ", Hosts.Select(h => h.Name)));
            if (ranks.Count() > host.Slots)
                throw new ConfigException($"{Name}: troupe.fabric.host puts {ranks.Count()} ranks on {host.Name}, which has {host.Slots} "
                    + "slots");
        }
        return named;
    }

    private static HostSlots Host(string[] words, string file, int line)
    {
        if (words.Length > 3)
            throw ConfigException.At(file, line,
                $"a line is: name slots [memory GiB], got {words.Length} words: {string.Join(' ', words)}");
        if (Uri.CheckHostName(words[0]) == UriHostNameType.Unknown)
            throw ConfigException.At(file, line, $"{words[0]} is no name or address of a host");
        if (words.Length < 2) throw ConfigException.At(file, line, $"host {words[0]} has no slots; a line is: name slots [memory GiB]");
        if (!int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out int slots) || slots is < 1 or > Layout.MaxRanks)
            throw ConfigException.At(file, line, $"slots must be a whole number in [1, {Layout.MaxRanks}], got {words[1]}");
        if (words.Length < 3) return new HostSlots(words[0], slots, null);
        bool number = double.TryParse(words[2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double memory);
        return number && memory > 0 && memory <= MostGiB ? new HostSlots(words[0], slots, (long)(memory * (1L << 30)))
            : throw ConfigException.At(file, line, $"memory must be GiB in (0, {MostGiB}], got {words[2]}");
    }
}
