using System.Collections.Immutable;
using Akka.Actor;
using Akka.Configuration;
using Akka.Remote;

namespace Akka.Cluster;

/// <summary>The keys of akka.cluster that this build knows.</summary>
public sealed class ClusterSettings
{
    /// <summary>Defaults, and what of the cluster travels; added below a system's configuration when its provider is `cluster`.</summary>
    internal static readonly Config Reference = ConfigurationFactory.ParseString("""
        akka {
          cluster {
            seed-nodes = []
            seed-node-timeout = 5s
            retry-unsuccessful-join-after = 10s
            shutdown-after-unsuccessful-join-seed-nodes = off
            roles = []
            min-nr-of-members = 1
            gossip-interval = 1s
            leader-actions-interval = 1s
            unreachable-nodes-reaper-interval = 1s
            run-coordinated-shutdown-when-down = on
            down-removal-margin = off
            downing-provider-class = "Akka.Cluster.SBR.SplitBrainResolverProvider, Akka.Cluster"
            failure-detector {
              heartbeat-interval = 1s
              threshold = 8.0
              min-std-deviation = 100ms
              acceptable-heartbeat-pause = 3s
              monitored-by-nr-of-members = 9
            }
            singleton { singleton-name = "singleton", role = "", hand-over-retry-interval = 1s, min-number-of-hand-over-retries = 15 }
          }
          actor {
            serializers.akka-cluster = "Akka.Cluster.ClusterSerializer, Akka.Cluster"
            serialization-bindings."Akka.Cluster.IClusterWireMessage, Akka.Cluster" = akka-cluster
          }
        }
        """);

    internal ClusterSettings(Config config)
    {
        var cluster = config.GetConfig("akka.cluster");
        SeedNodes = [.. cluster.GetStringList("seed-nodes").Select(Address.Parse)];
        Roles = [.. cluster.GetStringList("roles")];
        SeedNodeTimeout = cluster.GetTimeSpan("seed-node-timeout");
        RetryUnsuccessfulJoinAfter = OffOr(cluster, "retry-unsuccessful-join-after");
        ShutdownAfterUnsuccessfulJoinSeedNodes = OffOr(cluster, "shutdown-after-unsuccessful-join-seed-nodes");
        DownRemovalMargin = OffOr(cluster, "down-removal-margin");
        GossipInterval = cluster.GetTimeSpan("gossip-interval");
        LeaderActionsInterval = cluster.GetTimeSpan("leader-actions-interval");
        UnreachableNodesReaperInterval = cluster.GetTimeSpan("unreachable-nodes-reaper-interval");
        RunCoordinatedShutdownWhenDown = cluster.GetBoolean("run-coordinated-shutdown-when-down");
        MonitoredByNrOfMembers = cluster.GetInt("failure-detector.monitored-by-nr-of-members");
        MinNrOfMembers = cluster.GetInt("min-nr-of-members");
        Detector = new FailureDetectorSettings(
            cluster.GetTimeSpan("failure-detector.heartbeat-interval").TotalMilliseconds,
            cluster.GetTimeSpan("failure-detector.acceptable-heartbeat-pause").TotalMilliseconds,
            cluster.GetDouble("failure-detector.threshold"),
            cluster.GetTimeSpan("failure-detector.min-std-deviation").TotalMilliseconds);
        // The default is Akka.NET's, so that a configuration that counts on it fails here instead of never downing anybody.
        string downing = cluster.GetString("downing-provider-class");
        if (!string.IsNullOrEmpty(downing))
            throw new ConfigurationException($"akka.cluster.downing-provider-class must be \"\" with this provider, which downs nobody by "
                + $"itself, got \"{downing}\": set it to \"\" and call Cluster.Down, or build against Akka.NET");
    }

    public ImmutableList<Address> SeedNodes { get; }
    public ImmutableHashSet<string> Roles { get; }
    public TimeSpan SeedNodeTimeout { get; }
    public TimeSpan? RetryUnsuccessfulJoinAfter { get; }
    public TimeSpan? ShutdownAfterUnsuccessfulJoinSeedNodes { get; }
    public TimeSpan? DownRemovalMargin { get; }
    public TimeSpan GossipInterval { get; }
    public TimeSpan LeaderActionsInterval { get; }
    public TimeSpan UnreachableNodesReaperInterval { get; }
    public bool RunCoordinatedShutdownWhenDown { get; }
    public int MonitoredByNrOfMembers { get; }
    public int MinNrOfMembers { get; }
    internal FailureDetectorSettings Detector { get; }

    private static TimeSpan? OffOr(Config config, string key) => config.GetString(key) == "off" ? null : config.GetTimeSpan(key);
}
