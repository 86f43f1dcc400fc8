using System.Diagnostics;
using System.Text;
using Troupe.Testing;

namespace Troupe.Cli.Tests.Tidy;

/// <summary>The files of the checkout that the tidy tests look at: what git tracks, and what it would track if it were added.</summary>
internal static class SourceTree
{
    /// <summary>Paths from the root, with forward slashes, sorted.</summary>
    public static IReadOnlyList<string> Files { get; } = List();

    /// <summary>The C# files below the given folders, each named as "src/Actors/".</summary>
    public static IEnumerable<string> CSharp(params string[] folders) => Files
        .Where(f => f.EndsWith(".cs", StringComparison.Ordinal) && folders.Any(folder => f.StartsWith(folder, StringComparison.Ordinal)));

    /// <summary>The text of a file given by its path from the root.</summary>
    public static string Text(string file) => File.ReadAllText(Repository.At(file));

    /// <summary>The lines of a file given by its path from the root.</summary>
    public static string[] Lines(string file) => File.ReadAllLines(Repository.At(file));

    /// <summary>The text of a file; null for one that is no text, or so large that it is data.</summary>
    public static string? TextOrNull(string file)
    {
        const int MaxBytes = 4 << 20;
        if (new FileInfo(Repository.At(file)).Length > MaxBytes) return null;
        byte[] bytes = File.ReadAllBytes(Repository.At(file));
        return bytes.AsSpan(0, Math.Min(bytes.Length, 8192)).Contains((byte)0) ? null : Encoding.UTF8.GetString(bytes);
    }

    private static List<string> List()
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException("git did not start; the tidy tests need it to know which files are ours");
        string listed = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        if (git.ExitCode != 0)
            throw new InvalidOperationException($"git ls-files ended with exit code {git.ExitCode} in {Repository.Root}");
        // A file that was deleted but is still in the index is listed too.
        IEnumerable<string> present = listed.Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(f => File.Exists(Repository.At(f)));
        return [.. present.Distinct().Order(StringComparer.Ordinal)];
    }
}
