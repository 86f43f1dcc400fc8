using System.Collections.Concurrent;
using System.Security.Cryptography;
using Akka.Configuration;
using Akka.Event;
using Akka.Remote;

namespace Akka.Actor;

/// <summary>One system: what it starts, in which order, and how it ends. Names are in the other part.</summary>
internal sealed partial class ActorSystemImpl : ExtendedActorSystem
{
    private readonly ConcurrentDictionary<Type, Lazy<object>> _extensions = new();
    private readonly ConcurrentDictionary<string, Dispatcher> _dispatchers = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _terminated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Stack<Action> _onTermination = new();
    private readonly SystemScheduler _scheduler;
    private readonly LoggerSet _loggers;
    private long _lastUid = RandomNumberGenerator.GetInt32(int.MaxValue);
    private int _terminating;

    private ActorSystemImpl(string name, Config config)
    {
        Name = name;
        Settings = new Settings(config.WithFallback(ReferenceConfig.Core));
        EventStream = new EventStream();
        _loggers = new LoggerSet(this);
        _scheduler = new SystemScheduler(this, TimeProvider.System);
        LocalAddress = new Address("akka", name);
        RootPath = new RootActorPath(LocalAddress);
        Log = Logging.GetLogger(this, "ActorSystem");
        Root = new RootRef(this);
        DeadLetters = new EmptyActorRef(this, RootPath / "deadLetters");
    }

    public override string Name { get; }
    public override Settings Settings { get; }
    public override EventStream EventStream { get; }
    public override ILoggingAdapter Log { get; }
    public override IActorRef DeadLetters { get; }
    public override IScheduler Scheduler => _scheduler;
    public override Serialization.Serialization Serialization => _serialization;
    public override Task WhenTerminated => _terminated.Task;
    public override IActorRefProvider Provider => this;

    /// <summary>Remoting; null without it.</summary>
    internal RemoteTransport Transport { get; private set; }

    internal TimeSpan AskTimeout { get; private set; }

    /// <summary>The dispatcher with this id.</summary>
    /// <exception cref="ConfigurationException">There is none.</exception>
    internal Dispatcher DispatcherOf(string id) => _dispatchers.GetOrAdd(id, at => Dispatcher.Read(Settings.Config, at));

    /// <summary>True from the start of the end: guardians are stopping.</summary>
    internal bool IsTerminating => Volatile.Read(ref _terminating) != 0;

    internal static ActorSystemImpl Start(string name, Config config)
    {
        ArgumentNullException.ThrowIfNull(config);
        bool valid = name is { Length: > 0 } && name[0] != '-' && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
        if (!valid)
            throw new ArgumentException($"invalid ActorSystem name [{name}]: it must match ^[a-zA-Z0-9][a-zA-Z0-9-]*$", nameof(name));
        var system = new ActorSystemImpl(name, config);
        try
        {
            system.Start();
        }
        catch
        {
            system.Abandon();
            throw;
        }
        return system;
    }

    private void Start()
    {
        string provider = Settings.Config.GetString("akka.actor.provider");
        if (provider is not ("local" or "remote" or "cluster"))
            throw new ConfigurationException($"akka.actor.provider must be local, remote or cluster, got {provider}");
        _loggers.StartStandardOutput();
        if (provider == "cluster") Settings.InjectTopLevelFallback(Cluster.ClusterSettings.Reference);
        if (provider != "local") Transport = new RemoteTransport(this);
        ReadSettings();
        Root.StartGuardians();
        _serialization = new Serialization.Serialization(this);
        if (Transport is not null) BindTransport();
        _loggers.StartLoggers();
        CoordinatedShutdown.Get(this);
        if (provider == "cluster") Cluster.Cluster.Get(this);
    }

    private void ReadSettings()
    {
        DispatcherOf(Dispatcher.DefaultId);
        if (Settings.Config.GetConfig("akka.actor.deployment") is { IsEmpty: false })
            throw new ConfigurationException("akka.actor.deployment must be empty: this provider runs all actors here, on the thread pool");
        AskTimeout = Settings.Config.GetTimeSpan("akka.actor.ask-timeout");
        ReadDeadLetterSettings();
    }

    private void BindTransport()
    {
        try
        {
            _defaultAddress = Transport.Start();
        }
        catch (Exception cause) when (cause is not AggregateException)
        {
            throw new AggregateException($"remoting of {Name} did not start: {cause.Message}", cause);
        }
    }

    public override Task Terminate()
    {
        if (Settings.Config.GetBoolean("akka.coordinated-shutdown.run-by-actor-system-terminate"))
            _ = CoordinatedShutdown.Get(this).Run(CoordinatedShutdown.ActorSystemTerminateReason.Instance);
        else StopGuardians();
        return WhenTerminated;
    }

    /// <summary>The last step of the end: /user, then /system, then all the rest.</summary>
    internal void StopGuardians()
    {
        if (Interlocked.Exchange(ref _terminating, 1) == 0) Root.User.Stop();
    }

    /// <summary>/user has ended, by us or by itself.</summary>
    internal void OnUserEnded()
    {
        Interlocked.Exchange(ref _terminating, 1);
        _loggers.Stop();
        Root.SystemGuardian.Stop();
    }

    /// <summary>/system has ended too: there are no actors any more.</summary>
    internal void OnSystemEnded() => _ = Task.Run(EndAsync);

    private async Task EndAsync()
    {
        try
        {
            if (Transport is not null) await Transport.StopAsync().ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            Log.Error(failure, "remoting did not stop as it should");
        }
        Finish();
    }

    /// <summary>The start failed: nothing may stay behind that keeps a port or a thread.</summary>
    private void Abandon()
    {
        try
        {
            Transport?.StopAsync().Wait(TimeSpan.FromSeconds(5));
        }
        catch (Exception)
        {
            // Why the start failed is what the caller must see.
        }
        Finish();
    }

    public override void RegisterOnTermination(Action code)
    {
        lock (_onTermination)
        {
            if (!WhenTerminated.IsCompleted) _onTermination.Push(code);
            else throw new InvalidOperationException("the system has already terminated");
        }
    }

    private void Finish()
    {
        _scheduler.Stop();
        Action[] callbacks;
        lock (_onTermination) callbacks = [.. _onTermination];
        foreach (var callback in callbacks)
        {
            try
            {
                callback();
            }
            catch (Exception failure)
            {
                Log.Error(failure, "a termination callback failed");
            }
        }
        _terminated.TrySetResult();
    }

    public override T GetExtension<T>() => (T)_extensions.GetValueOrDefault(typeof(T))?.Value;

    public override object RegisterExtension(IExtensionId extension) =>
        _extensions.GetOrAdd(extension.ExtensionType, _ => new Lazy<object>(() => extension.CreateExtension(this))).Value;
}
