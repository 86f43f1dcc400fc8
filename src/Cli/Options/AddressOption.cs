using System.CommandLine;

namespace Troupe.Cli.Options;

/// <summary>--at: which cluster a client verb talks to.</summary>
internal static class AddressOption
{
    /// <summary>Where `troupe up` listens unless told otherwise.</summary>
    public const string Default = "127.0.0.1:4100";

    /// <summary>Makes the option.</summary>
    public static Option<string> Create() => Opt.Address("--at", "Any node of the cluster", Default);
}
