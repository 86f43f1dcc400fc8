using Akka.Configuration;

namespace Akka.Actor;

/// <summary>The defaults below every system's own configuration.</summary>
internal static class ReferenceConfig
{
    public static readonly Config Core = ConfigurationFactory.ParseString("""
        akka {
          loglevel = INFO
          stdout-loglevel = WARNING
          loggers = ["Akka.Event.DefaultLogger"]
          logger-startup-timeout = 5s
          log-dead-letters = 10
          log-dead-letters-during-shutdown = off
          log-dead-letters-suspend-duration = 5 minutes
          scheduler.tick-duration = 10ms
          actor {
            provider = local
            creation-timeout = 20s
            ask-timeout = infinite
            default-dispatcher.throughput = 30
            serializers {
              primitive = "Akka.Serialization.PrimitiveSerializer, Akka"
              bytes = "Akka.Serialization.ByteArraySerializer, Akka"
              akka-misc = "Akka.Serialization.MiscMessageSerializer, Akka"
            }
            serialization-bindings {
              "System.Byte[]" = bytes
              "System.String" = primitive
              "System.Int32" = primitive
              "System.Int64" = primitive
              "Akka.Actor.Identify, Akka" = akka-misc
              "Akka.Actor.ActorIdentity, Akka" = akka-misc
              "Akka.Actor.PoisonPill, Akka" = akka-misc
              "Akka.Actor.Kill, Akka" = akka-misc
              "Akka.Actor.Status+Success, Akka" = akka-misc
              "Akka.Actor.Status+Failure, Akka" = akka-misc
            }
            serialization-identifiers {
              "Akka.Serialization.ByteArraySerializer, Akka" = 4
              "Akka.Serialization.MiscMessageSerializer, Akka" = 16
              "Akka.Serialization.PrimitiveSerializer, Akka" = 17
            }
          }
          coordinated-shutdown {
            default-phase-timeout = 5 s
            exit-clr = off
            run-by-clr-shutdown-hook = on
            run-by-actor-system-terminate = on
            terminate-actor-system = on
            phases {
              cluster-sharding-shutdown-region.timeout = 10 s
              cluster-exiting.timeout = 10 s
              actor-system-terminate.timeout = 10 s
            }
          }
        }
        """);
}
