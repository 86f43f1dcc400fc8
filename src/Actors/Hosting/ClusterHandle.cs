using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Membership;
using Troupe.Devices.Fabric;

namespace Troupe.Actors.Hosting;

/// <summary>Where the ranks of a cluster run that this process starts.</summary>
public enum LaunchMode
{
    /// <summary>As threads of this process.</summary>
    InProcess,

    /// <summary>As processes, children of this one.</summary>
    Processes,
}

/// <summary>What to start.</summary>
/// <param name="Options">Checked options.</param>
/// <param name="Model">The model.</param>
/// <param name="Mode">Threads or processes.</param>
/// <param name="NodeProgram">The program's own assembly, started for each rank as <c>dotnet troupe.dll node -c -</c>.</param>
/// <param name="Log">Lines for people: warnings, and what the ranks log.</param>
/// <param name="Host">Address that the control node binds.</param>
/// <param name="Port">Its port, 0 for a free one.</param>
public sealed record LaunchSpec(
    TroupeOptions Options, ModelSource Model, LaunchMode Mode, string NodeProgram, Action<string> Log, string Host = "127.0.0.1",
        int Port = 0)
{
    /// <summary>Settings for Akka.NET of every node, strongest first: what a file of the user's or -v asks for.</summary>
    public IReadOnlyList<HoconText> Settings { get; init; } = [];

    /// <summary>Says how many bytes of this host's memory the ranks may take.</summary>
    public Func<long> AvailableMemory { get; init; } = () => HostMemory.AvailableBytes();
}

/// <summary>A cluster that this process started: its control node is here. Disposing ends every rank.</summary>
public sealed class ClusterHandle : IAsyncDisposable
{
    private static readonly TimeSpan ExitGrace = TimeSpan.FromSeconds(3);
    private readonly List<RankProcess> _ranks = [];
    private readonly TaskCompletionSource<string?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ActorSystem _system;
    private readonly IActorRef _coordinator;
    private volatile bool _disposed;

    private ClusterHandle(LaunchSpec spec, IClusterObserver observer)
    {
        ClusterPlan plan = ClusterPlan.Make(spec.Options, spec.Model);
        long memoryForKv = plan.MemoryForKv(spec.AvailableMemory());
        bool inProcess = spec.Mode == LaunchMode.InProcess;
        HoconText akka = HoconText.Parse("the command line", inProcess
            ? NodeConfig.LocalHocon
            : NodeConfig.ToHocon(spec.Host, spec.Port, [ClusterWatchActor.ControlRole], []));
        Config config = new ConfigLayers([akka, .. spec.Settings]).Config;
        _system = ActorSystem.Create(Nodes.SystemName, config);
        if (!inProcess)
        {
            Cluster cluster = Cluster.Get(_system);
            cluster.Join(cluster.SelfAddress);
            Address = Nodes.AddressOf(_system);
        }
        _coordinator = Nodes.StartControl(_system, spec.Options, plan, inProcess, spec.Host, memoryForKv, new Observer(this, observer),
            spec.Log, TimeProvider.System);
        if (inProcess) StartThreads(spec, plan);
        else StartProcesses(spec);
    }

    /// <summary>The control node's address as host:port; empty inside one process.</summary>
    public string Address { get; } = "";

    /// <summary>Completes when the cluster is over: with an error, or null after a drain.</summary>
    public Task<string?> Ended => _ended.Task;

    /// <summary>Process ids of the ranks; none inside one process.</summary>
    public IReadOnlyList<int> RankPids => [.. _ranks.Select(r => r.Pid)];

    /// <summary>Starts a cluster. It is getting ready when this returns: see <see cref="ClusterClient.ReadyAsync"/>.</summary>
    /// <exception cref="ConfigException">The options do not fit the model, or the ranks this host's memory.</exception>
    public static ClusterHandle Start(LaunchSpec spec, IClusterObserver observer) => new(spec, observer);

    /// <summary>A client of this cluster.</summary>
    public ClusterClient Client() => new(_system, _system.ActorSelection("/user/gateway"));

    /// <summary>Takes nothing new, lets running requests end, stops the ranks.</summary>
    /// <returns>An error, or null.</returns>
    public async Task<string?> DrainAsync()
    {
        _coordinator.Tell(new BeginDrain(), ActorRefs.NoSender);
        return await _ended.Task;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        using var grace = new CancellationTokenSource(ExitGrace);
        try
        {
            // Asked to stop, ranks end by themselves; whoever still wanted something from them was told.
            _coordinator.Tell(new BeginDrain(), ActorRefs.NoSender);
            await _ended.Task.WaitAsync(grace.Token);
            await Task.WhenAll(_ranks.Select(r => r.WaitAsync(grace.Token)));
        }
        catch (OperationCanceledException)
        {
            // A rank that hangs (SIGSTOP, a stuck driver) is ended below.
        }
        foreach (RankProcess rank in _ranks) rank.Dispose();
        Task terminated = _system.Terminate();
        await terminated.WithinAsync(ExitGrace);
        _ended.TrySetResult(null);
    }

    private void StartThreads(LaunchSpec spec, ClusterPlan plan)
    {
        var hub = new InProcessHub();
        for (int rank = 0; rank < spec.Options.Layout.Ranks; rank++)
            Nodes.StartLocalRank(_system, plan, rank, hub, _coordinator, TimeProvider.System);
    }

    private void StartProcesses(LaunchSpec spec)
    {
        string seed = Cluster.Get(_system).SelfAddress.ToString();
        for (int rank = 0; rank < spec.Options.Layout.Ranks; rank++)
        {
            string hocon = string.Concat(spec.Settings.Reverse().Select(text => text.Text + "\n"))
                + (spec.Options with { Rank = rank, Model = spec.Model.Name }).ToHocon()
                + NodeConfig.ToHocon(spec.Host, 0, [ClusterWatchActor.RankRole], [seed]);
            _ranks.Add(new RankProcess(spec.NodeProgram, hocon, $"rank {rank}", spec.Log, OnExit));
        }
    }

    private void OnExit(int pid, string how)
    {
        if (!_disposed && !_ended.Task.IsCompleted) _coordinator.Tell(new ChildEnded(pid, how), ActorRefs.NoSender);
    }

    private sealed class Observer(ClusterHandle handle, IClusterObserver next) : IClusterObserver
    {
        public void Changed(CoordinatorState state) => next.Changed(state);

        public void Warned(string line) => next.Warned(line);

        public void Ended(string? error)
        {
            next.Ended(error);
            handle._ended.TrySetResult(error);
        }
    }
}
