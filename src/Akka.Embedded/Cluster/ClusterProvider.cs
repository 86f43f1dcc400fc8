using Akka.Actor;
using Akka.Configuration;

namespace Akka.Cluster;

internal static class ClusterProvider
{
    public static void Start(ActorSystemImpl system) =>
        throw new ConfigurationException($"akka.actor.provider = cluster is not part of this build of {system.Name}");
}
