namespace Troupe.Devices.Fabric;

/// <summary>
/// Finds out whether two ranks share a host, and with it /dev/shm: one makes a probe, the other looks for its name. Host names and
/// addresses cannot tell: containers of one host have different ones, and may or may not share their memory.
/// </summary>
public sealed class HostProbe : IDisposable
{
    private readonly SharedMemoryFile _file;

    private HostProbe(string name, SharedMemoryFile file) => (Name, _file) = (name, file);

    /// <summary>What the other rank is told.</summary>
    public string Name { get; }

    /// <summary>Makes a probe with a random name, or none where this machine has no /dev/shm.</summary>
    public static HostProbe? TryCreate()
    {
        if (!OperatingSystem.IsLinux() || !Directory.Exists(SharedMemoryFile.Folder)) return null;
        string name = $"{SharedMemoryFile.Prefix}probe-{Guid.NewGuid():N}";
        try
        {
            SharedMemoryFile.RemoveLeftovers();
            return new HostProbe(name, SharedMemoryFile.Create(Path.Combine(SharedMemoryFile.Folder, name), 1, 1));
        }
        catch (IOException)
        {
            return null; // full or not ours to write: then there is nothing to share either
        }
    }

    /// <summary>Whether the maker of a probe shares memory with this process.</summary>
    public static bool Sees(string name) => name.StartsWith(SharedMemoryFile.Prefix, StringComparison.Ordinal)
        && !name.Contains('/', StringComparison.Ordinal) && File.Exists(Path.Combine(SharedMemoryFile.Folder, name));

    /// <summary>
    /// Bytes that windows on this host may take in shared memory; 0 where there is none that is ours to write. What dead set-ups left is
    /// removed first.
    /// </summary>
    public static long FreeBytes()
    {
        using HostProbe? probe = TryCreate();
        return probe is null ? 0 : new DriveInfo(SharedMemoryFile.Folder).AvailableFreeSpace;
    }

    /// <summary>Removes the probe.</summary>
    public void Dispose() => _file.Dispose();
}
