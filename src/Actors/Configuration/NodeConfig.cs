using System.Text.RegularExpressions;
using Akka.Configuration;

namespace Troupe.Actors.Configuration;

/// <summary>What an actor system of ours is started with: the checked Akka.NET part of a configuration.</summary>
/// <param name="SystemName">Every actor system of ours has the same.</param>
/// <param name="Clustered">False for a world inside one process.</param>
/// <param name="Host">Address that others use.</param>
/// <param name="Port">0 for any free one.</param>
/// <param name="Roles">control or rank; both in small clusters.</param>
/// <param name="SeedNodes">Addresses of nodes to join, "akka.tcp://NAME@HOST:PORT"; the first is the same on all nodes.</param>
/// <param name="Config">For ActorSystem.Create.</param>
public sealed partial record NodeConfig(
    string SystemName, bool Clustered, string Host, int Port, IReadOnlyList<string> Roles, IReadOnlyList<string> SeedNodes, Config Config)
{
    /// <summary>The role of the node that hosts coordinator and router.</summary>
    public const string ControlRole = "control";

    /// <summary>The role of a node with a rank.</summary>
    public const string RankRole = "rank";

    private const string Tcp = "akka.remote.dot-netty.tcp";

    /// <summary>Reads and checks the Akka.NET part.</summary>
    /// <exception cref="ConfigException">No address, a seed of another cluster, an unknown role.</exception>
    public static NodeConfig Read(ConfigLayers layers)
    {
        var read = new OptionReader(layers);
        // Always the same, so that a node of another cluster is met and refused by our join with both names, not ignored by Akka.NET.
        const string system = Hosting.Nodes.SystemName;
        bool clustered = read.Choice("akka.actor.provider", [("cluster", true), ("local", false)]);
        IReadOnlyList<string> roles = read.Texts("akka.cluster.roles");
        IReadOnlyList<string> seeds = read.Texts("akka.cluster.seed-nodes");
        if (roles.Any(r => r is not (ControlRole or RankRole)))
            throw read.Refuse("akka.cluster.roles", $"{ControlRole} or {RankRole}, not {string.Join(", ", roles)}");
        foreach (string seed in seeds)
        {
            Match match = SeedAddress().Match(seed);
            if (!match.Success || !int.TryParse(match.Groups["port"].Value, out int seedPort) || seedPort is < 1 or > 65535)
                throw read.Refuse("akka.cluster.seed-nodes", $"\"akka.tcp://{system}@HOST:PORT\", not {seed}");
            if (match.Groups["system"].Value != system)
                throw read.Refuse("akka.cluster.seed-nodes", $"addresses of actor systems called {system}, not {seed}");
        }
        string host = read.Text($"{Tcp}.hostname");
        // Akka.NET would bind all addresses and tell others to use 0.0.0.0.
        if (host is "0.0.0.0" or "::") throw read.Refuse($"{Tcp}.hostname", "the address that other nodes use");
        return new NodeConfig(system, clustered, host, read.Int($"{Tcp}.port", 0, 65535), roles, seeds, layers.Config);
    }

    /// <summary>The Akka.NET part of a node's configuration as HOCON, for a child process or over a file.</summary>
    /// <param name="host">Address that others use.</param>
    /// <param name="port">0 for any free one.</param>
    /// <param name="roles">control, rank.</param>
    /// <param name="seedNodes">Addresses to join; empty for the node that is the first.</param>
    public static string ToHocon(string host, int port, IEnumerable<string> roles, IEnumerable<string> seedNodes) => $$"""
        akka {
          actor.provider = cluster
          remote.dot-netty.tcp {
            hostname = {{HoconText.Quote(host)}}
            port = {{port}}
          }
          cluster {
            roles = [{{string.Join(", ", roles.Select(HoconText.Quote))}}]
            seed-nodes = [{{string.Join(", ", seedNodes.Select(HoconText.Quote))}}]
          }
        }

        """;

    /// <summary>As HOCON, for a world inside one process: no remoting, no cluster.</summary>
    public static string LocalHocon => "akka.actor.provider = local\n";

    [GeneratedRegex(@"^akka\.tcp://(?<system>[^@/\s]+)@(?<host>[^@/\s]+):(?<port>[0-9]{1,5})$", RegexOptions.ExplicitCapture)]
    private static partial Regex SeedAddress();
}
