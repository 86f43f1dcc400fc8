namespace Troupe.Devices.Fabric;

/// <summary>The half of a shared-memory fabric that a rank makes by itself: the file of its window.</summary>
internal sealed class SharedMemoryEndpoint : IFabricEndpoint
{
    private readonly FabricSetup _setup;
    private readonly WindowLayout _layout;
    private readonly string _name;
    private SharedMemoryFile? _own;

    private SharedMemoryEndpoint(FabricSetup setup, WindowLayout layout, SharedMemoryFile own, string name)
        => (_setup, _layout, _own, _name) = (setup, layout, own, name);

    public static SharedMemoryEndpoint Open(FabricSetup setup)
    {
        string name = $"{SharedMemoryFile.Prefix}{setup.Session}-{setup.Self.Value}";
        var layout = new WindowLayout(setup.World.Size, setup.Plan);
        try
        {
            SharedMemoryFile.RemoveLeftovers();
            var own = SharedMemoryFile.Create(SharedMemoryFile.PathOf(name), layout.TotalBytes, setup.World.Size);
            new Window(own, layout).Identity = FabricIdentity.Of(setup);
            return new SharedMemoryEndpoint(setup, layout, own, name);
        }
        catch (IOException failed)
        {
            throw new FabricSetupException(setup.Self, failed.Message, failed);
        }
    }

    public string Descriptor => FabricDescriptor.Of(_setup, _name);

    public IFabric Connect(IReadOnlyList<string> descriptors)
    {
        var own = Interlocked.Exchange(ref _own, null)
            ?? throw new InvalidOperationException("this endpoint was connected or disposed already");
        var fabric = MappedSetup.Connect(Fabrics.NameOf(FabricKind.SharedMemory), _setup, _layout, own, descriptors, Find);
        own.Unlink(); // all peers have mapped it: from here on it vanishes with its last user, however that ends
        return fabric;
    }

    public void Dispose() => Interlocked.Exchange(ref _own, null)?.Dispose();

    private SharedMemoryFile Find(string name)
    {
        if (!name.StartsWith(SharedMemoryFile.Prefix, StringComparison.Ordinal) || name.Contains('/', StringComparison.Ordinal))
            throw new FabricSetupException(_setup.Self, $"'{name}' is not a shared-memory window: do all ranks use the same --fabric?");
        try
        {
            return SharedMemoryFile.Open(SharedMemoryFile.PathOf(name), _layout.TotalBytes);
        }
        catch (IOException failed)
        {
            throw new FabricSetupException(_setup.Self, failed.Message, failed);
        }
    }
}
