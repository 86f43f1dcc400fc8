using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>The half of a tcp fabric that a rank makes by itself: its listener.</summary>
internal sealed class TcpEndpoint : IFabricEndpoint
{
    private const int Backlog = 1024;

    private readonly FabricSetup _setup;
    private readonly string _address;
    private Socket? _listener;

    private TcpEndpoint(FabricSetup setup, Socket listener, string address) => (_setup, _listener, _address) = (setup, listener, address);

    public static TcpEndpoint Open(FabricSetup setup)
    {
        var (listener, address) = Listen(setup);
        return new TcpEndpoint(setup, listener, address);
    }

    /// <summary>Listens on a free port; also the address that other ranks are told.</summary>
    public static (Socket Listener, string Address) Listen(FabricSetup setup)
    {
        string host = setup.Options.ListenHost;
        Socket? listener = null;
        try
        {
            var address = Resolve(host);
            string told = setup.Options.AdvertisedHost ?? host;
            if (setup.Options.AdvertisedHost is null && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
            {
                throw new FabricSetupException(setup.Self,
                    $"'{host}' is no address that other ranks can reach: also say which host to advertise");
            }
            listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            listener.Bind(new IPEndPoint(address, 0));
            listener.Listen(Backlog);
            int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
            return (listener, told.Contains(':', StringComparison.Ordinal) ? $"[{told}]:{port}" : $"{told}:{port}");
        }
        catch (SocketException failed)
        {
            listener?.Dispose();
            throw new FabricSetupException(setup.Self,
                $"cannot listen on '{host}': {failed.Message}; is it an address of this host?", failed);
        }
        catch
        {
            listener?.Dispose();
            throw;
        }
    }

    public string Descriptor => FabricDescriptor.Of(_setup, _address);

    public IFabric Connect(IReadOnlyList<string> descriptors)
    {
        // Once connected there is nobody left to listen for: strangers that come later find no door at all.
        using var listener = Interlocked.Exchange(ref _listener, null)
            ?? throw new InvalidOperationException("this endpoint was connected or disposed already");
        string name = Fabrics.NameOf(FabricKind.Tcp);
        using var joining = new TcpJoining(name, _setup, (int)listener.Handle, FabricDescriptor.Addresses(_setup, descriptors));
        var (data, control) = joining.Run();
        var layout = new WindowLayout(_setup.World.Size, _setup.Plan);
        var windows = new Window?[_setup.World.Size];
        windows[_setup.Self.Value] = new Window(new HeapMemory(layout.TotalBytes), layout);
        return new TcpFabric(name, _setup, windows, data, control);
    }

    public void Dispose() => Interlocked.Exchange(ref _listener, null)?.Dispose();

    /// <summary>An address as descriptors have it: <c>host:port</c> or <c>[v6]:port</c>.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static IPEndPoint Parse(string address)
    {
        int colon = address.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            throw new FormatException($"'{address}' is not host:port; do all ranks use the same --fabric?");
        return new IPEndPoint(Resolve(address[..colon].Trim('[', ']')), port);
    }

    private static IPAddress Resolve(string host) =>
        IPAddress.TryParse(host, out var address) ? address : Dns.GetHostAddresses(host).FirstOrDefault()
            ?? throw new SocketException((int)SocketError.HostNotFound);
}
