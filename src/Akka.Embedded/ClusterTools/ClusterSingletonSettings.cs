using Akka.Actor;

namespace Akka.Cluster.Tools.Singleton;

/// <summary>How a ClusterSingletonManager works; Create reads akka.cluster.singleton.</summary>
public sealed record ClusterSingletonManagerSettings
{
    private ClusterSingletonManagerSettings()
    {
    }

    /// <summary>The name of the singleton's actor below its manager.</summary>
    public string SingletonName { get; private init; }

    /// <summary>It runs only on members of this role; null or empty: on any.</summary>
    public string Role { get; private init; }

    /// <summary>How long a removed member that crashed is waited for; zero: down-removal-margin.</summary>
    public TimeSpan RemovalMargin { get; private init; }

    /// <summary>How often the next oldest asks for the singleton.</summary>
    public TimeSpan HandOverRetryInterval { get; private init; }

    public static ClusterSingletonManagerSettings Create(ActorSystem system)
    {
        var config = system.Settings.Config.GetConfig("akka.cluster.singleton");
        return new ClusterSingletonManagerSettings
        {
            SingletonName = config.GetString("singleton-name"),
            Role = config.GetString("role"),
            HandOverRetryInterval = config.GetTimeSpan("hand-over-retry-interval"),
        };
    }

    public ClusterSingletonManagerSettings WithSingletonName(string singletonName) => this with { SingletonName = singletonName };
    public ClusterSingletonManagerSettings WithRole(string role) => this with { Role = role };
    public ClusterSingletonManagerSettings WithRemovalMargin(TimeSpan removalMargin) => this with { RemovalMargin = removalMargin };
}
