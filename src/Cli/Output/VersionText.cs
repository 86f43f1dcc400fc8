using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Troupe.Cli.Output;

/// <summary>Writes the version, and what it runs on.</summary>
internal sealed class VersionText : SynchronousCommandLineAction
{
    /// <summary>The version of this build, without the commit.</summary>
    public static string Version { get; } =
        typeof(VersionText).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]
            ?? "unknown";

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.WriteLine($"troupe {Version} ({RuntimeInformation.FrameworkDescription})");
        return ExitCode.Done;
    }
}
