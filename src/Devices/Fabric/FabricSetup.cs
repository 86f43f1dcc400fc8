using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>What a rank brings to the set-up of its fabric. All but <see cref="Self"/> must be the same on every rank.</summary>
/// <param name="World">The ranks to reach.</param>
/// <param name="Self">This rank.</param>
/// <param name="Epoch">The epoch that the fabric lives in.</param>
/// <param name="Plan">The symmetric window; sealed by <see cref="Fabrics.Open"/>.</param>
/// <param name="Options">Deadlines, secret, listening address.</param>
/// <param name="Session">Keeps set-ups apart that run at the same time: 1 to 64 of a-z, A-Z, 0-9, '-', '_'.</param>
public sealed record FabricSetup(World World, RankId Self, Epoch Epoch, WindowPlan Plan, FabricOptions Options, string Session)
{
    internal const int MaxSession = 64;

    internal void Validate()
    {
        if (Session.Length is 0 or > MaxSession || Session.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')))
        {
            throw new ArgumentException(
                $"a session must be 1 to {MaxSession} of a-z, A-Z, 0-9, '-', '_', got '{Session}'", nameof(Session));
        }
        if (Options.Secret.Length != FabricOptions.SecretBytes)
            throw new ArgumentException($"the fabric's secret must be {FabricOptions.SecretBytes} bytes, got {Options.Secret.Length}",
                nameof(Options));
        if (Options.Hosts.Count > 0 && Options.Hosts.Count < World.Size)
            throw new ArgumentException($"every rank has a host: got {Options.Hosts.Count} names for {World.Size} ranks", nameof(Options));
    }
}

/// <summary>A fabric that could not be set up: which rank says so, and what to do about it.</summary>
public sealed class FabricSetupException(RankId self, string reason, Exception? inner = null) : Exception($"{self}: {reason}", inner)
{
    /// <summary>The rank whose set-up failed.</summary>
    public RankId Self { get; } = self;
}
