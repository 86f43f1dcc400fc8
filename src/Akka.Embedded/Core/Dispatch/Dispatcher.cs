using System.Collections.Concurrent;
using Akka.Configuration;

namespace Akka.Actor;

/// <summary>Gives actors their turns. Throughput is the number of user messages in one turn.</summary>
internal abstract class Dispatcher(int throughput)
{
    public int Throughput { get; } = Math.Max(1, throughput);

    public abstract void Schedule(ActorCell cell);

    /// <summary>What a new actor with this dispatcher gets: itself, or one of its own.</summary>
    public virtual Dispatcher ForNewActor(string name) => this;

    /// <summary>The actor has ended and was moved to another dispatcher.</summary>
    public virtual void Release()
    {
    }
}

/// <summary>The runtime's thread pool.</summary>
internal sealed class PoolDispatcher(int throughput) : Dispatcher(throughput)
{
    public override void Schedule(ActorCell cell) => ThreadPool.UnsafeQueueUserWorkItem(cell, preferLocal: false);
}

/// <summary>Threads of its own: for all its actors together, or, when pinned, one for each.</summary>
internal sealed class ThreadsDispatcher : Dispatcher
{
    private readonly BlockingCollection<ActorCell> _turns = [];

    private ThreadsDispatcher(int throughput, int threads, string name) : base(throughput)
    {
        for (int i = 0; i < threads; i++) new Thread(Run) { IsBackground = true, Name = threads == 1 ? name : $"{name}-{i}" }.Start();
    }

    public override void Schedule(ActorCell cell)
    {
        try
        {
            _turns.Add(cell);
        }
        catch (InvalidOperationException)
        {
            // The threads have been released: what is left of the actor drains on the pool.
            ThreadPool.UnsafeQueueUserWorkItem(cell, preferLocal: false);
        }
    }

    public override void Release() => _turns.CompleteAdding();

    private void Run()
    {
        foreach (var cell in _turns.GetConsumingEnumerable()) cell.Execute();
    }

    public static Dispatcher Shared(int throughput, int threads, string name) => new ThreadsDispatcher(throughput, threads, name);

    public static Dispatcher Pinned(int throughput) => new PerActor(throughput);

    private sealed class PerActor(int throughput) : Dispatcher(throughput)
    {
        public override void Schedule(ActorCell cell) => throw new InvalidOperationException("a pinned actor has a dispatcher of its own");
        public override Dispatcher ForNewActor(string name) => new ThreadsDispatcher(Throughput, 1, name);
    }
}

/// <summary>The dispatchers of a system, made on first use from the config path that is their id.</summary>
internal sealed class Dispatchers(Config config) : IDisposable
{
    public const string DefaultId = "akka.actor.default-dispatcher";
    private readonly Dictionary<string, Dispatcher> _byId = new(StringComparer.Ordinal);

    /// <summary>For actors without a wish, and for what is left of ended ones.</summary>
    public Dispatcher Default { get; } = new PoolDispatcher(config.GetInt(DefaultId + ".throughput", 30));

    /// <exception cref="ConfigurationException">The configuration has no such dispatcher, or of an unknown type.</exception>
    public Dispatcher Find(string id)
    {
        lock (_byId)
        {
            if (id == DefaultId) return Default;
            if (!_byId.TryGetValue(id, out var dispatcher)) _byId[id] = dispatcher = Create(id);
            return dispatcher;
        }
    }

    private Dispatcher Create(string id)
    {
        var own = config.GetConfig(id) ?? throw new ConfigurationException($"no dispatcher {id} in the configuration");
        own = own.WithFallback(config.GetConfig(DefaultId));
        int throughput = own.GetInt("throughput", 30);
        string type = own.GetString("type");
        return type switch
        {
            "Dispatcher" or "ThreadPoolDispatcher" or "TaskDispatcher" => new PoolDispatcher(throughput),
            "PinnedDispatcher" => ThreadsDispatcher.Pinned(throughput),
            "ForkJoinDispatcher" => ThreadsDispatcher.Shared(throughput,
                own.GetInt("dedicated-thread-pool.thread-count", Environment.ProcessorCount), id),
            _ => throw new ConfigurationException($"{id}.type must be Dispatcher, PinnedDispatcher or ForkJoinDispatcher, got {type}"),
        };
    }

    /// <summary>Ends threads that actors share; called when all actors have ended.</summary>
    public void Dispose()
    {
        lock (_byId)
        {
            foreach (var made in _byId.Values) made.Release();
        }
    }
}
