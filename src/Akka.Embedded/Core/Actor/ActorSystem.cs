using Akka.Configuration;
using Akka.Event;

namespace Akka.Actor;

/// <summary>A tree of actors with what they share. Its threads keep no process alive: Main awaits <see cref="WhenTerminated"/>.</summary>
public abstract class ActorSystem : IActorRefFactory, IDisposable
{
    public static ActorSystem Create(string name) => Create(name, ConfigurationFactory.Empty);

    /// <summary>Starts a system. With `akka.actor.provider` remote or cluster it returns once its port is bound.</summary>
    /// <exception cref="ArgumentException">The name is not `^[a-zA-Z0-9][a-zA-Z0-9-]*$`.</exception>
    /// <exception cref="AggregateException">The port is taken.</exception>
    public static ActorSystem Create(string name, Config config) => ActorSystemImpl.Start(name, config);

    public abstract string Name { get; }
    public abstract Settings Settings { get; }
    public abstract IScheduler Scheduler { get; }
    public abstract EventStream EventStream { get; }
    public abstract ILoggingAdapter Log { get; }
    public abstract IActorRef DeadLetters { get; }
    public abstract Serialization.Serialization Serialization { get; }
    /// <summary>Ends when all actors have stopped and the transport is closed.</summary>
    public abstract Task WhenTerminated { get; }

    /// <summary>Runs CoordinatedShutdown, then stops /user, /system, remoting and the scheduler. More calls change nothing.</summary>
    public abstract Task Terminate();

    /// <summary>Called when all actors have stopped, before WhenTerminated ends.</summary>
    public abstract void RegisterOnTermination(Action code);

    public abstract void Stop(IActorRef actor);
    public abstract IActorRef ActorOf(Props props, string name = null);
    public abstract ActorSelection ActorSelection(string actorPath);
    public abstract ActorSelection ActorSelection(ActorPath actorPath);

    /// <summary>The registered extension of that type, or null.</summary>
    public abstract T GetExtension<T>() where T : class, IExtension;

    /// <summary>Creates it on the first call; gives the same object on later ones.</summary>
    public abstract object RegisterExtension(IExtensionId extension);

    public void Dispose()
    {
        Terminate().Wait();
        GC.SuppressFinalize(this);
    }
}

/// <summary>What extensions and serializers see of a system.</summary>
public abstract class ExtendedActorSystem : ActorSystem
{
    public abstract IActorRefProvider Provider { get; }

    /// <summary>Creates an actor under /system.</summary>
    public abstract IActorRef SystemActorOf(Props props, string name = null);
}

/// <summary>Turns paths into references.</summary>
public interface IActorRefProvider
{
    /// <summary>The address that peers use, or akka://NAME without remoting.</summary>
    Address DefaultAddress { get; }

    IActorRef ResolveActorRef(string path);
}

/// <summary>The configuration of a system, over the defaults of this library.</summary>
public class Settings
{
    internal Settings(Config config) => Config = config;

    public Config Config { get; private set; }

    /// <summary>Adds defaults below everything that is there.</summary>
    public void InjectTopLevelFallback(Config config) => Config = Config.WithFallback(config);
}

public interface IExtension;

public interface IExtensionId
{
    Type ExtensionType { get; }
    object CreateExtension(ExtendedActorSystem system);
}

/// <summary>The usual base of an extension's id.</summary>
public abstract class ExtensionIdProvider<T> : IExtensionId where T : class, IExtension
{
    public abstract T CreateExtension(ExtendedActorSystem system);
    public T Apply(ActorSystem system) => (T)system.RegisterExtension(this);

    /// <summary>Null before <see cref="Apply"/>.</summary>
    public T Get(ActorSystem system) => system.GetExtension<T>();

    Type IExtensionId.ExtensionType => typeof(T);
    object IExtensionId.CreateExtension(ExtendedActorSystem system) => CreateExtension(system);
}
