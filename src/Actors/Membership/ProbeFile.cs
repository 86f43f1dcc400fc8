namespace Troupe.Actors.Membership;

/// <summary>
/// A file with a random name in shared memory: a node that can open it and reads what it should shares memory with the control node.
/// Its creator holds a lock on it, so that leftovers of a killed process are told from files in use and swept at the next start.
/// </summary>
public sealed class ProbeFile : IDisposable
{
    private const string Folder = "/dev/shm";
    private const string Prefix = "troupe-probe-";
    private static readonly TimeSpan SweepAge = TimeSpan.FromSeconds(10);
    private FileStream? _held;

    private ProbeFile(string path, string text, FileStream? held) => (Path, Text, _held) = (path, text, held);

    /// <summary>Where it lies; empty where there is no shared memory to write to.</summary>
    public string Path { get; }

    /// <summary>What it says.</summary>
    public string Text { get; }

    /// <summary>Creates one, and removes those of processes that are gone.</summary>
    public static ProbeFile Create()
    {
        string text = Guid.NewGuid().ToString("N");
        string path = $"{Folder}/{Prefix}{Guid.NewGuid():N}";
        try
        {
            Sweep();
            File.WriteAllText(path, text);
            // Reading with FileShare.Read takes a shared advisory lock, which the kernel drops with the process.
            return new ProbeFile(path, text, new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ProbeFile("", text, null);
        }
    }

    /// <summary>
    /// Whether the probe of somebody else opens here. Only files of our own name pattern in the shared memory folder are looked at.
    /// </summary>
    public static bool Opens(string path, string text)
    {
        string name = System.IO.Path.GetFileName(path);
        if (path != $"{Folder}/{name}" || !name.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        try
        {
            using var file = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read));
            return file.BaseStream.Length == text.Length && file.ReadToEnd() == text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Removes the file; more than once is fine.</summary>
    public void Dispose()
    {
        if (_held is null) return;
        File.Delete(Path);
        _held.Dispose();
        _held = null;
    }

    private static void Sweep()
    {
        DateTime now = TimeProvider.System.GetUtcNow().UtcDateTime;
        foreach (string path in Directory.EnumerateFiles(Folder, Prefix + "*"))
        {
            if (now - File.GetLastWriteTimeUtc(path) < SweepAge) continue;
            try
            {
                using var unlocked = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // In use, or somebody else's: not ours to remove.
            }
        }
    }
}
