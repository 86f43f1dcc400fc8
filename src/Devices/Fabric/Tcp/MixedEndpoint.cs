using System.Net.Sockets;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// The half of a mixed fabric that a rank makes by itself: a listener as on tcp, and its window as a file that peers on the same host map.
/// The file's name is random, so that to see it is to share the host: it is its own <see cref="HostProbe"/>.
/// </summary>
internal sealed class MixedEndpoint : IFabricEndpoint
{
    private const char Separator = '|';

    private readonly FabricSetup _setup;
    private readonly WindowLayout _layout;
    private readonly Socket _listener;
    private readonly string _address;
    private SharedMemoryFile? _own;

    private MixedEndpoint(FabricSetup setup, WindowLayout layout, Socket listener, SharedMemoryFile own, string address) =>
        (_setup, _layout, _listener, _own, _address) = (setup, layout, listener, own, address);

    public static MixedEndpoint Open(FabricSetup setup)
    {
        string name = $"{SharedMemoryFile.Prefix}{Guid.NewGuid():N}";
        var layout = new WindowLayout(setup.World.Size, setup.Plan);
        SharedMemoryFile own;
        try
        {
            SharedMemoryFile.RemoveLeftovers();
            own = SharedMemoryFile.Create(SharedMemoryFile.PathOf(name), layout.TotalBytes, setup.World.Size);
        }
        catch (IOException failed)
        {
            throw new FabricSetupException(setup.Self, failed.Message, failed);
        }
        try
        {
            new Window(own, layout).Identity = FabricIdentity.Of(setup);
            var (listener, address) = TcpEndpoint.Listen(setup);
            return new MixedEndpoint(setup, layout, listener, own, string.Join(Separator, address, name, HostOf(setup)));
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    public string Descriptor => FabricDescriptor.Of(_setup, _address);

    public IFabric Connect(IReadOnlyList<string> descriptors)
    {
        var own = Interlocked.Exchange(ref _own, null)
            ?? throw new InvalidOperationException("this endpoint was connected or disposed already");
        using var listener = _listener;
        var windows = new Window?[_setup.World.Size];
        windows[_setup.Self.Value] = new Window(own, _layout);
        try
        {
            string[][] parts = [.. FabricDescriptor.Addresses(_setup, descriptors).Select(Parts)];
            for (int rank = 0; rank < parts.Length; rank++)
            {
                string[] theirs = parts[rank];
                if (rank != _setup.Self.Value && theirs[2] == HostOf(_setup)) windows[rank] = Find(rank, theirs[1]);
            }
            // A rank is connected only once it has mapped whom it can see, so at the end nobody needs the name any more.
            string kind = Fabrics.NameOf(FabricKind.Mixed);
            using var joining = new TcpJoining(kind, _setup, (int)listener.Handle, [.. parts.Select(p => p[0])]);
            var (data, control) = joining.Run();
            own.Unlink();
            return new TcpFabric(kind, _setup, windows, data, control);
        }
        catch
        {
            foreach (var window in windows) window?.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _own, null)?.Dispose();
        _listener.Dispose();
    }

    /// <summary>The host that a rank plays, where one machine plays several; ranks that play different ones never look for each
    /// other's windows.</summary>
    private static string HostOf(FabricSetup setup) =>
        setup.Options.Hosts.Count == 0 ? "" : setup.Options.Hosts[setup.Self.Value];

    private string[] Parts(string address) => address.Split(Separator) is { Length: 3 } parts
        ? parts
        : throw new FabricSetupException(_setup.Self, $"'{address}' is no address of a mixed fabric: do all ranks use the same --fabric?");

    /// <summary>The window of a peer on this host; null for one on another host, and for one whose file is not ours to open.</summary>
    private Window? Find(int rank, string name)
    {
        if (!HostProbe.Sees(name)) return null;
        SharedMemoryFile file;
        try
        {
            file = SharedMemoryFile.Open(SharedMemoryFile.PathOf(name), _layout.TotalBytes);
        }
        catch (IOException)
        {
            return null;
        }
        var window = new Window(file, _layout);
        if (FabricIdentity.Of(_setup).Refuses(window.Identity, rank) is not { } problem) return window;
        window.Dispose();
        throw new FabricSetupException(_setup.Self, problem);
    }
}
