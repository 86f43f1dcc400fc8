using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric;

/// <summary>
/// A window in a file of /dev/shm. The creator holds a lock on it for as long as it lives, which is how others see that it lives; the
/// kernel drops the lock with the process.
/// </summary>
internal sealed unsafe class SharedMemoryFile : IWindowMemory
{
    /// <summary>Where window files live and how their names start.</summary>
    public const string Folder = "/dev/shm", Prefix = "troupe-";

    // Reserving sets every page to zero and starts over when a signal interrupts it, as the runtime's own signals do: so, piece by piece.
    private const long Piece = 64L << 20;
    private const uint OwnerOnly = 0x180; // rw-------

    private readonly int _descriptor;
    private readonly nint _length;
    private readonly string _path;
    private readonly bool _created;
    private nint _address;
    private bool _named;

    private SharedMemoryFile(int descriptor, string path, long length, bool created)
    {
        (_descriptor, _path, _length, _created, _named) = (descriptor, path, (nint)length, created, created);
        _address = Libc.Map(0, _length, Libc.ProtectReadWrite, Libc.MapShared | Libc.MapPopulate, descriptor, 0);
        if (_address == -1) throw new IOException($"mapping {length} bytes of {path} failed: {Libc.LastError()}");
    }

    public byte* Base => (byte*)_address;

    /// <summary>Where the file of this name lies.</summary>
    public static string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>Makes, locks, reserves and maps a file that does not exist yet.</summary>
    /// <exception cref="IOException">Says why not and what to do.</exception>
    public static SharedMemoryFile Create(string path, long bytes, int ranks)
    {
        int descriptor = CreateLocked(path);
        try
        {
            ThrowIfFull(bytes, ranks);
            Reserve(descriptor, bytes, ranks);
            return new SharedMemoryFile(descriptor, path, bytes, created: true);
        }
        catch
        {
            File.Delete(path);
            _ = Libc.Close(descriptor);
            throw;
        }
    }

    /// <summary>Maps a peer's file.</summary>
    public static SharedMemoryFile Open(string path, long bytes)
    {
        int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec, 0);
        if (descriptor < 0)
            throw new IOException($"opening {path} failed: {Libc.LastError()}; did its rank end, or does it run on another host?");
        try
        {
            // A shorter file is a peer with a different plan. Its identity lies in the first page, which every window has.
            long length = Math.Min(bytes, new FileInfo(path).Length);
            return new SharedMemoryFile(descriptor, path, length, created: false);
        }
        catch
        {
            _ = Libc.Close(descriptor);
            throw;
        }
    }

    /// <summary>Removes the files of set-ups that died before they could do so: those whose lock nobody holds.</summary>
    public static void RemoveLeftovers()
    {
        foreach (string path in Directory.EnumerateFiles(Folder, Prefix + "*"))
        {
            int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec, 0);
            if (descriptor < 0) continue; // gone by now, or another user's
            if (Libc.Lock(descriptor, Libc.LockExclusive | Libc.LockNonBlocking) == 0) File.Delete(path);
            _ = Libc.Close(descriptor);
        }
    }

    /// <summary>Takes the name away; the memory stays for those who have mapped it.</summary>
    public void Unlink()
    {
        if (!_named) return; // a later set-up may use the name again
        _named = false;
        File.Delete(_path);
    }

    public bool OwnerDied() => !_created && Libc.Lock(_descriptor, Libc.LockShared | Libc.LockNonBlocking) == 0;

    public void Dispose()
    {
        if (_address == 0) return;
        Unlink();
        _ = Libc.Unmap(_address, _length);
        _address = 0;
        _ = Libc.Close(_descriptor);
    }

    private static int CreateLocked(string path)
    {
        while (true)
        {
            int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.Create | Libc.Exclusive | Libc.CloseOnExec, OwnerOnly);
            if (descriptor < 0)
            {
                throw new IOException(Marshal.GetLastPInvokeError() == Libc.Exists
                    ? $"{path} exists and its owner lives: another set-up uses this session name at this moment"
                    : $"making {path} failed: {Libc.LastError()}");
            }
            // Between our open and our lock another rank may take the file for a leftover and remove it. Once we hold the lock, nobody
            // does.
            if (Libc.Lock(descriptor, Libc.LockExclusive | Libc.LockNonBlocking) == 0 && File.Exists(path)) return descriptor;
            _ = Libc.Close(descriptor);
        }
    }

    private static void Reserve(int descriptor, long bytes, int ranks)
    {
        for (long done = 0; done < bytes;)
        {
            long piece = Math.Min(Piece, bytes - done);
            int error = Libc.Allocate(descriptor, done, piece);
            if (error == Libc.Interrupted) continue;
            if (error == Libc.NoSpace) throw Full(bytes, ranks);
            if (error != 0) throw new IOException($"reserving {bytes} bytes of {Folder} failed: {Marshal.GetPInvokeErrorMessage(error)}");
            done += piece;
        }
    }

    private static void ThrowIfFull(long bytes, int ranks)
    {
        if (new DriveInfo(Folder).AvailableFreeSpace < bytes) throw Full(bytes, ranks);
    }

    private static IOException Full(long bytes, int ranks) => new(
        $"{Folder} has {MiB(new DriveInfo(Folder).AvailableFreeSpace)} free, this rank's window needs {MiB(bytes)} "
        + $"(all {ranks} ranks {MiB(bytes * (double)ranks)}): use --fabric tcp, or a larger shm_size (docker run --shm-size)");

    private static string MiB(double bytes) => $"{Math.Ceiling(bytes / (1 << 20)):0} MiB";
}
