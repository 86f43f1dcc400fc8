using System.Collections.Concurrent;
using Akka.Configuration;
using Akka.Event;

namespace Akka
{
    /// <summary>It is done; there is nothing more to say.</summary>
    public sealed class Done
    {
        public static readonly Done Instance = new();
        private Done() { }
    }
}

namespace Akka.Actor
{
    /// <summary>Ends a system in phases, one after the other; tasks of one phase run together, up to its timeout.</summary>
    public sealed class CoordinatedShutdown : IExtension
    {
        public const string PhaseBeforeServiceUnbind = "before-service-unbind";
        public const string PhaseServiceStop = "service-stop";
        public const string PhaseClusterLeave = "cluster-leave";
        public const string PhaseClusterExiting = "cluster-exiting";
        public const string PhaseClusterExitingDone = "cluster-exiting-done";
        public const string PhaseClusterShutdown = "cluster-shutdown";
        public const string PhaseBeforeActorSystemTerminate = "before-actor-system-terminate";
        public const string PhaseActorSystemTerminate = "actor-system-terminate";

        private static readonly string[] Phases =
        [
            PhaseBeforeServiceUnbind, "service-unbind", "service-requests-done", PhaseServiceStop, "before-cluster-shutdown",
            "cluster-sharding-shutdown-region", PhaseClusterLeave, PhaseClusterExiting, PhaseClusterExitingDone, PhaseClusterShutdown,
            PhaseBeforeActorSystemTerminate, PhaseActorSystemTerminate,
        ];

        private readonly ActorSystemImpl _system;
        private readonly Config _config;
        private readonly ILoggingAdapter _log;
        private readonly ConcurrentDictionary<string, ConcurrentQueue<(string Name, Func<Task<Done>> Run)>> _tasks = new();
        private readonly TaskCompletionSource<Done> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Reason _reason;

        private CoordinatedShutdown(ActorSystemImpl system)
        {
            _system = system;
            _config = system.Settings.Config.GetConfig("akka.coordinated-shutdown");
            _log = Logging.GetLogger(system, nameof(CoordinatedShutdown));
            if (_config.GetBoolean("terminate-actor-system")) AddTask(PhaseActorSystemTerminate, "terminate-system", TerminateSystem);
            if (!_config.GetBoolean("run-by-clr-shutdown-hook")) return;
            AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
            system.RegisterOnTermination(() => AppDomain.CurrentDomain.ProcessExit -= OnProcessExit);
        }

        public static CoordinatedShutdown Get(ActorSystem sys) => Id.Instance.Apply(sys);

        /// <summary>Why the shutdown runs; null while it does not.</summary>
        public Reason ShutdownReason => Volatile.Read(ref _reason);

        /// <summary>The timeouts of all phases together.</summary>
        public TimeSpan TotalTimeout => Phases.Select(Timeout).Aggregate(TimeSpan.Zero, (sum, each) => sum + each);

        public TimeSpan Timeout(string phase) =>
            _config.GetTimeSpan($"phases.{phase}.timeout", _config.GetTimeSpan("default-phase-timeout", null, false), false);

        /// <exception cref="ConfigurationException">There is no such phase.</exception>
        public void AddTask(string phase, string taskName, Func<Task<Done>> task)
        {
            if (!Phases.Contains(phase))
                throw new ConfigurationException($"Unknown phase [{phase}], known are [{string.Join(", ", Phases)}]");
            ArgumentException.ThrowIfNullOrEmpty(taskName);
            _tasks.GetOrAdd(phase, _ => []).Enqueue((taskName, task));
        }

        /// <summary>Runs once, from that phase on; later calls get the same task and keep the first reason.</summary>
        public Task<Done> Run(Reason reason, string fromPhase = null)
        {
            if (fromPhase is not null && !Phases.Contains(fromPhase))
                throw new ConfigurationException($"Unknown phase [{fromPhase}], known are [{string.Join(", ", Phases)}]");
            if (Interlocked.CompareExchange(ref _reason, reason, null) is null) _ = Task.Run(() => RunPhases(fromPhase));
            return _done.Task;
        }

        private async Task RunPhases(string fromPhase)
        {
            foreach (string phase in Phases.SkipWhile(phase => fromPhase is not null && phase != fromPhase))
            {
                try
                {
                    await RunPhase(phase).ConfigureAwait(false);
                }
                catch (Exception failure)
                {
                    if (!_config.GetBoolean($"phases.{phase}.recover", true))
                    {
                        _done.TrySetException(failure);
                        return;
                    }
                    _log.Warning(failure, "phase [{0}] of the shutdown failed: {1}", phase, failure.Message);
                }
            }
            _done.TrySetResult(Done.Instance);
            if (_config.GetBoolean("exit-clr") && ShutdownReason is not ClrExitReason) Environment.Exit(0);
        }

        private async Task RunPhase(string phase)
        {
            if (!_tasks.TryGetValue(phase, out var tasks)) return;
            var running = Task.WhenAll(tasks.Select(task => Task.Run(task.Run)));
            try
            {
                await running.WaitAsync(Timeout(phase)).ConfigureAwait(false);
            }
            catch (TimeoutException expired) when (!running.IsCompleted)
            {
                string names = string.Join(", ", tasks.Select(task => task.Name));
                throw new TimeoutException($"Coordinated shutdown phase [{phase}] timed out after {Timeout(phase)}; its tasks are {names}",
                    expired);
            }
        }

        private async Task<Done> TerminateSystem()
        {
            _system.StopGuardians();
            await _system.WhenTerminated.ConfigureAwait(false);
            return Done.Instance;
        }

        // Whether it succeeds is of no interest any more. Since .NET 10 a SIGTERM does not come here by itself: the program registers
        // for it and calls Terminate or Environment.Exit, as with Akka.NET on that runtime.
        private void OnProcessExit(object sender, EventArgs e) => Task.WaitAny([Run(ClrExitReason.Instance)], TotalTimeout);

        private sealed class Id : ExtensionIdProvider<CoordinatedShutdown>
        {
            public static readonly Id Instance = new();
            public override CoordinatedShutdown CreateExtension(ExtendedActorSystem system) => new((ActorSystemImpl)system);
        }

        public class Reason
        {
            protected Reason() { }
        }

        public class UnknownReason : Reason
        {
            public static readonly Reason Instance = new UnknownReason();
        }

        public class ActorSystemTerminateReason : Reason
        {
            public static readonly Reason Instance = new ActorSystemTerminateReason();
        }

        public class ClrExitReason : Reason
        {
            public static readonly Reason Instance = new ClrExitReason();
        }

        public class ClusterDowningReason : Reason
        {
            public static readonly Reason Instance = new ClusterDowningReason();
        }

        public class ClusterLeavingReason : Reason
        {
            public static readonly Reason Instance = new ClusterLeavingReason();
        }

        public class ClusterJoinUnsuccessfulReason : Reason
        {
            public static readonly Reason Instance = new ClusterJoinUnsuccessfulReason();
        }
    }
}
