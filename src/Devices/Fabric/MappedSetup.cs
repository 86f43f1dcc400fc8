namespace Troupe.Devices.Fabric;

/// <summary>The part of connecting that both mapped fabrics share: find all windows, then agree.</summary>
internal static class MappedSetup
{
    public static MappedFabric Connect(string name, FabricSetup setup, WindowLayout layout, IWindowMemory own,
        IReadOnlyList<string> descriptors, Func<string, IWindowMemory> find)
    {
        var windows = new List<Window>(setup.World.Size);
        bool handedOver = false;
        try
        {
            string[] names = FabricDescriptor.Addresses(setup, descriptors);
            foreach (var rank in setup.World.Ranks)
                windows.Add(new Window(rank == setup.Self ? own : find(names[rank.Value]), layout));
            handedOver = true;
            return MappedFabric.Connect(name, setup, [.. windows]);
        }
        finally
        {
            if (!handedOver)
            {
                foreach (var window in windows) window.Dispose();
                own.Dispose();
            }
        }
    }
}
