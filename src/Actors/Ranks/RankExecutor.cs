using Troupe.Actors.Pipeline;

namespace Troupe.Actors.Ranks;

/// <summary>
/// The one thread that touches a rank's device, fabric and KV cache. Set-up work runs on it as closures; steps run on it without
/// allocating, and their outcomes go into a ring of reused objects, which the rank's actor drains when a signal on the thread pool tells it
/// to. Under a lease it goes from step to step by itself, at most as far ahead of the actor as the ring is long.
/// </summary>
public sealed class RankExecutor : IDisposable
{
    /// <summary>Steps that may wait, and outcomes that may lie undrained. The lanes bound both far below.</summary>
    public const int Capacity = 64;

    private static readonly TimeSpan s_drainDeadline = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Queue<StageStep> _steps = new(Capacity);
    private readonly Queue<Action> _setup = new();
    private readonly SemaphoreSlim _work = new(0);
    private readonly SemaphoreSlim _room = new(Capacity);
    private readonly StepOutcome[] _outcomes;
    private readonly Signal _signal;
    private readonly Thread _thread;
    private long _written, _read;
    private volatile bool _stop, _leased;
    private int _signalled;

    /// <summary>
    /// Starts the thread. Outcomes are made by <paramref name="makeOutcome"/> once; <paramref name="signal"/> runs on the thread pool.
    /// </summary>
    public RankExecutor(string name, Func<StepOutcome> makeOutcome, Action signal)
    {
        _outcomes = [.. Enumerable.Range(0, Capacity).Select(_ => makeOutcome())];
        _signal = new Signal(() =>
        {
            Volatile.Write(ref _signalled, 0);
            signal();
        });
        _thread = new Thread(Loop) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs steps once set; the executor thread calls it. Set by set-up work.</summary>
    public IStepRunner? Runner { get; set; }

    /// <summary>Notes about leases, from the rank's actor to the runner.</summary>
    public LeaseNotes Notes { get; } = new();

    /// <summary>Whether it runs steps that nobody planned.</summary>
    public bool IsLeased => _leased;

    /// <summary>Runs work on the executor thread.</summary>
    public Task<T> Run<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _setup.Enqueue(() =>
            {
                try
                {
                    done.SetResult(work());
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
        }
        _work.Release();
        return done.Task;
    }

    /// <summary>Queues a step.</summary>
    /// <returns>False when too many wait already.</returns>
    public bool Enqueue(StageStep step)
    {
        lock (_gate)
        {
            if (_steps.Count >= Capacity) return false;
            _steps.Enqueue(step);
        }
        _work.Release();
        return true;
    }

    /// <summary>The next step that waits, without taking it; null if there is none. For the executor thread.</summary>
    public StageStep? Next
    {
        get
        {
            lock (_gate) return _steps.Count > 0 ? _steps.Peek() : null;
        }
    }

    /// <summary>
    /// Takes the oldest outcome, if any, and lets <paramref name="use"/> read it; it is reused afterwards. For the rank's actor.
    /// </summary>
    public bool TryDrain(Action<StepOutcome> use)
    {
        long read = _read;
        if (read == Volatile.Read(ref _written)) return false;
        use(_outcomes[read % Capacity]);
        Volatile.Write(ref _read, read + 1);
        _room.Release();
        return true;
    }

    /// <summary>Lets the thread end after the step in hand. Does not wait: the step may hang until its fabric is aborted.</summary>
    public void Dispose()
    {
        _stop = true;
        _work.Release();
        _room.Release(); // it may wait for an actor that is gone
    }

    private void Loop()
    {
        while (true)
        {
            _work.Wait();
            if (_stop) break;
            StageStep? step = null;
            Action? setup = null;
            lock (_gate)
            {
                if (!_setup.TryDequeue(out setup)) _steps.TryDequeue(out step);
            }
            setup?.Invoke();
            if (step is null) continue;
            bool well = Run(step);
            while (well && _leased && !_stop) well = Run(null);
            _leased = false;
        }
        Runner?.Dispose();
    }

    /// <summary>Runs a planned step, or the next one of the lease.</summary>
    /// <returns>Whether it ended well.</returns>
    private bool Run(StageStep? step)
    {
        if (!_room.Wait(s_drainDeadline))
            throw new InvalidOperationException($"the rank's actor has drained no outcome for {s_drainDeadline.TotalSeconds:0} s");
        if (_stop) return false;
        StepOutcome outcome = _outcomes[_written % Capacity];
        if (step is not null) outcome.Reset(step.Plan);
        try
        {
            if (step is not null) Runner!.Run(step, outcome);
            else Runner!.RunLeased(outcome);
            _leased = Runner.IsLeased;
        }
        catch (Exception e)
        {
            // Whatever fails on this thread ends the epoch; the actor reports it.
            outcome.Error = e;
            _leased = false;
        }
        bool well = outcome.Error is null;
        Volatile.Write(ref _written, _written + 1);
        if (Interlocked.Exchange(ref _signalled, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(_signal, preferLocal: false);
        return well;
    }

    private sealed class Signal(Action act) : IThreadPoolWorkItem
    {
        public void Execute() => act();
    }
}

/// <summary>Runs one step on the executor thread and fills its outcome.</summary>
public interface IStepRunner : IDisposable
{
    /// <summary>Whether the next step is one of a lease: then it runs without being planned.</summary>
    bool IsLeased { get; }

    /// <summary>Runs a planned step. Allocates nothing in steady decode.</summary>
    void Run(StageStep step, StepOutcome outcome);

    /// <summary>Runs the next step of the lease. Allocates nothing but at its end.</summary>
    void RunLeased(StepOutcome outcome);

    /// <summary>Drops all sequences: those of the self-check, which no scheduler knows.</summary>
    void Forget();
}
