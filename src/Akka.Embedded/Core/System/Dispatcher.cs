using Akka.Configuration;

namespace Akka.Actor;

/// <summary>How the actors that name it have their turns: by configuration, at the path that is its id.</summary>
/// <param name="Throughput">User messages in one turn.</param>
/// <param name="RunOnReader">
/// A message from the network that finds its actor idle is handled by the thread that read it: its turn begins a wake-up sooner. Meanwhile
/// that connection is not read, so it is for actors whose turns are short and wait for nothing. Akka.NET has no such key and runs them on
/// its pool.
/// </param>
internal sealed record Dispatcher(int Throughput, bool RunOnReader)
{
    public const string DefaultId = "akka.actor.default-dispatcher";

    /// <exception cref="ConfigurationException">There is none at that path, or of a type that is not built here.</exception>
    public static Dispatcher Read(Config all, string id)
    {
        if (!all.HasPath(id)) throw new ConfigurationException($"dispatcher [{id}] is not configured");
        var own = all.GetConfig(id).WithFallback(all.GetConfig(DefaultId));
        string type = own.GetString("type", "Dispatcher");
        return type is "Dispatcher" or "TaskDispatcher"
            ? new Dispatcher(Math.Max(1, own.GetInt("throughput")), own.GetBoolean("run-on-reader"))
            : throw new ConfigurationException($"{id}.type must be Dispatcher: all actors here run on the thread pool, got {type}");
    }
}
