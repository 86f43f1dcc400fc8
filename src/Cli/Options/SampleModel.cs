namespace Troupe.Cli.Options;

/// <summary>The small model that comes with the program: models/sample, here or in a folder above the program.</summary>
internal static class SampleModel
{
    private static readonly string Relative = Path.Combine("models", "sample");

    /// <summary>Its folder.</summary>
    /// <exception cref="UsageException">It is nowhere.</exception>
    public static string Find()
    {
        if (Directory.Exists(Relative)) return Relative;
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, Relative);
            if (Directory.Exists(candidate)) return candidate;
        }
        throw new UsageException($"no {Relative} here or above the program: give a model's folder with --model DIR");
    }
}
