namespace Troupe.Devices.Fabric;

/// <summary>The half of a shared-memory fabric that a rank makes by itself: the file of its window.</summary>
internal sealed class SharedMemoryEndpoint : IFabricEndpoint
{
    private readonly FabricSetup _setup;
    private readonly WindowLayout _layout;
    private SharedMemoryFile? _own;

    private SharedMemoryEndpoint(FabricSetup setup, WindowLayout layout, SharedMemoryFile own, string descriptor)
        => (_setup, _layout, _own, Descriptor) = (setup, layout, own, descriptor);

    public static SharedMemoryEndpoint Open(FabricSetup setup)
    {
        string descriptor = $"{SharedMemoryFile.Prefix}{setup.Session}-{setup.Self.Value}";
        var layout = new WindowLayout(setup.World.Size, setup.Plan);
        try
        {
            SharedMemoryFile.RemoveLeftovers();
            var own = SharedMemoryFile.Create(PathOf(descriptor), layout.TotalBytes, setup.World.Size);
            new Window(own, layout).Identity = FabricIdentity.Of(setup);
            return new SharedMemoryEndpoint(setup, layout, own, descriptor);
        }
        catch (IOException failed)
        {
            throw new FabricSetupException(setup.Self, failed.Message, failed);
        }
    }

    public string Descriptor { get; }

    public IFabric Connect(IReadOnlyList<string> descriptors)
    {
        var own = Interlocked.Exchange(ref _own, null) ?? throw new InvalidOperationException("this endpoint was connected or disposed already");
        var fabric = MappedSetup.Connect(Fabrics.NameOf(FabricKind.SharedMemory), _setup, _layout, own, descriptors, Find);
        own.Unlink(); // all peers have mapped it: from here on it vanishes with its last user, however that ends
        return fabric;
    }

    public void Dispose() => Interlocked.Exchange(ref _own, null)?.Dispose();

    private SharedMemoryFile Find(string descriptor)
    {
        if (!descriptor.StartsWith(SharedMemoryFile.Prefix, StringComparison.Ordinal) || descriptor.Contains('/', StringComparison.Ordinal))
            throw new FabricSetupException(_setup.Self, $"'{descriptor}' is not a shared-memory window: do all ranks use the same --fabric?");
        try
        {
            return SharedMemoryFile.Open(PathOf(descriptor), _layout.TotalBytes);
        }
        catch (IOException failed)
        {
            throw new FabricSetupException(_setup.Self, failed.Message, failed);
        }
    }

    private static string PathOf(string descriptor) => Path.Combine(SharedMemoryFile.Folder, descriptor);
}
