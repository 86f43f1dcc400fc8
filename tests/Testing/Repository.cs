namespace Troupe.Testing;

/// <summary>Where the checkout lies, found from the test's own folder.</summary>
public static class Repository
{
    /// <summary>The folder that holds Actors.sln.</summary>
    public static string Root { get; } = Find();

    /// <summary>A path below the root.</summary>
    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Actors.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException($"no Actors.sln above {AppContext.BaseDirectory}");
    }
}
