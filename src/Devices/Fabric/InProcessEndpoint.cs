namespace Troupe.Devices.Fabric;

/// <summary>The half of an in-process fabric that a rank makes by itself: its window, known to the hub.</summary>
internal sealed class InProcessEndpoint : IFabricEndpoint
{
    private readonly FabricSetup _setup;
    private readonly InProcessHub _hub;
    private readonly WindowLayout _layout;
    private readonly string _name;
    private IWindowMemory? _own;

    public InProcessEndpoint(FabricSetup setup, InProcessHub hub)
    {
        (_setup, _hub) = (setup, hub);
        _layout = new WindowLayout(setup.World.Size, setup.Plan);
        _name = $"inprocess:{setup.Session}/{setup.Self.Value}";
        _own = hub.Create(_name, _layout.TotalBytes);
        new Window(_own, _layout).Identity = FabricIdentity.Of(setup);
    }

    public string Descriptor => FabricDescriptor.Of(_setup, _name);

    public IFabric Connect(IReadOnlyList<string> descriptors)
    {
        var own = Interlocked.Exchange(ref _own, null)
            ?? throw new InvalidOperationException("this endpoint was connected or disposed already");
        return MappedSetup.Connect(Fabrics.NameOf(FabricKind.InProcess), _setup, _layout, own, descriptors,
            name => _hub.Find(name) ?? throw new FabricSetupException(_setup.Self,
                $"no window '{name}' in this process: was its rank opened on another hub?"));
    }

    public void Dispose() => Interlocked.Exchange(ref _own, null)?.Dispose();
}
