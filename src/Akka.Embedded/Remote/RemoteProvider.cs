using Akka.Actor;
using Akka.Configuration;

namespace Akka.Remote;

internal static class RemoteProvider
{
    public static IRemoteTransport Create(ActorSystemImpl system) =>
        throw new ConfigurationException($"akka.actor.provider = remote is not part of this build of {system.Name}");
}
