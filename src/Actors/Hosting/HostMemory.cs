using System.Globalization;

namespace Troupe.Actors.Hosting;

/// <summary>How much memory this process and its children may still take on this host.</summary>
public static class HostMemory
{
    /// <summary>
    /// What /proc/meminfo calls available (free, or cache that can be dropped), or less where a control group of this process has a lower
    /// limit: then what is left of that, its file cache counted as free. Elsewhere than on Linux what the runtime says.
    /// </summary>
    /// <param name="root">Folder that stands for /, for tests.</param>
    public static long AvailableBytes(string root = "/")
    {
        long? available = Field(Path.Combine(root, "proc/meminfo"), "MemAvailable:");
        if (available is null) return GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long least = available.Value << 10; // it counts in KiB
        foreach (ControlGroup group in GroupsOfThisProcess(root)) least = Math.Min(least, group.LeftBytes() ?? least);
        return Math.Max(0, least);
    }

    /// <summary>This process's groups in both versions of the interface, up to the root of each: any of them may have a limit.</summary>
    private static IEnumerable<ControlGroup> GroupsOfThisProcess(string root)
    {
        foreach (string line in Lines(Path.Combine(root, "proc/self/cgroup")))
        {
            string[] parts = line.Split(':', 3); // hierarchy:controllers:path
            if (parts.Length < 3) continue;
            bool unified = parts[0] == "0";
            if (!unified && !parts[1].Split(',').Contains("memory")) continue;
            string mount = Path.Combine(root, "sys/fs/cgroup", unified ? "" : "memory");
            string[] names = parts[2].Split('/', StringSplitOptions.RemoveEmptyEntries);
            for (int depth = 0; depth <= names.Length; depth++)
                yield return new ControlGroup(Path.Combine([mount, .. names[..depth]]), unified);
        }
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // not ours to read: as good as not there
        }
    }

    /// <summary>The number behind a word at the start of a line.</summary>
    private static long? Field(string path, string name)
    {
        foreach (string line in Lines(path))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0] == name && long.TryParse(words[1], CultureInfo.InvariantCulture, out long value)) return value;
        }
        return null;
    }

    private sealed record ControlGroup(string Folder, bool Unified)
    {
        /// <summary>Null where it has no limit; "max" and the largest number that version 1 knows both mean none.</summary>
        public long? LeftBytes()
        {
            if (Number(Unified ? "memory.max" : "memory.limit_in_bytes") is not { } limit || limit > long.MaxValue / 2) return null;
            long used = Number(Unified ? "memory.current" : "memory.usage_in_bytes") ?? 0;
            string statistics = Path.Combine(Folder, "memory.stat"), prefix = Unified ? "" : "total_";
            long cache = (Field(statistics, prefix + "inactive_file") ?? 0) + (Field(statistics, prefix + "active_file") ?? 0);
            return limit - Math.Max(0, used - cache);
        }

        private long? Number(string file) =>
            Lines(Path.Combine(Folder, file)) is [var text, ..] && long.TryParse(text, CultureInfo.InvariantCulture, out long value)
                ? value : null;
    }
}
