using System.Diagnostics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// A device's own threads for loops of a few microseconds. A job is cut into chunks, some for each thread; a thread takes its own, and then
/// those that others have not begun, so that one that is asleep or late is never waited for, only one that has taken a chunk. Workers spin
/// briefly after a job and then park, so that ranks may outnumber cores. Jobs are plain structs on the caller's stack: nothing is allocated
/// per call.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // Longer than the gaps between the kernels of a layer, shorter than a scheduler's time slice.
    private const double SpinMicroseconds = 40;

    // Multiply-adds that are worth handing to a thread (about 1 us), that are worth a chunk more (about 10 us), and that are worth waking a
    // parked thread for (about 5 us).
    private const long ThreadWork = 32 * 1024, ChunkWork = 256 * 1024, WakeWork = 192 * 1024;
    private const int MostChunks = 8, Line = 8, Spins = 64;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _parked;
    private readonly NativeBuffer _shared;

    // Of each thread, on a cache line of its own: (generation, chunks that nobody has taken yet), and how many it ever finished.
    private readonly long* _tickets, _finished;
    private NativeBuffer _room = new(0);
    private delegate*<void*, int, int, void> _body;
    private void* _job;
    private int _items, _chunk, _perThread;
    private uint _generation;
    private long _given;
    private volatile bool _stopping;

    /// <summary>Starts the workers; one thread in all means none.</summary>
    public WorkerPool(int threads)
    {
        if (threads is < 1 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(threads), $"threads must be in [1, 1024], got {threads}");
        _shared = new NativeBuffer(2L * threads * Line * sizeof(long));
        _tickets = (long*)_shared.Data;
        _finished = _tickets + threads * Line;
        _threads = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _parked = new int[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"troupe-kernel-{i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads, the caller included.</summary>
    public int Threads => _threads.Length + 1;

    /// <summary>
    /// Room that a kernel needs between its jobs, until the next call; it grows to the largest that was asked for and so soon no more.
    /// </summary>
    public float* Room(long floats)
    {
        if (_room.Bytes < floats * sizeof(float))
        {
            _room.Dispose();
            _room = NativeBuffer.OfFloats(floats + floats / 4);
        }
        return (float*)_room.Data;
    }

    /// <summary>
    /// Runs body(job, first, end) over [0, items) in ranges, and returns when all are done. The body must not throw. Work: multiply-adds of
    /// one item, by which small jobs stay on this thread.
    /// </summary>
    public void For(delegate*<void*, int, int, void> body, void* job, int items, long work)
    {
        if (items == 0) return;
        long total = items * work;
        int threads = (int)Math.Min(Math.Min(items, Threads), total / ThreadWork);
        if (threads < 2)
        {
            body(job, 0, items);
            return;
        }
        _body = body;
        _job = job;
        _items = items;
        int chunks = threads * (int)Math.Clamp(total / (threads * ChunkWork), 1, MostChunks);
        _chunk = (items + chunks - 1) / chunks;
        chunks = (items + _chunk - 1) / _chunk;
        _perThread = (chunks + threads - 1) / threads;
        _given += chunks;
        _generation++;
        for (int thread = 0; thread < threads; thread++)
        {
            int own = Math.Clamp(chunks - thread * _perThread, 0, _perThread);
            Volatile.Write(ref _tickets[thread * Line], ((long)_generation << 32) | (uint)own);
        }
        if (total >= WakeWork) Wake();
        RunAll(0);
        for (int spins = 0; spins < Spins && !IsDone(); spins++) Thread.SpinWait(8);
        var wait = new SpinWait();
        while (!IsDone()) wait.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Ends the workers.</summary>
    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        Wake();
        foreach (Thread thread in _threads) thread.Join();
        foreach (SemaphoreSlim wake in _wake) wake.Dispose();
        _shared.Dispose();
        _room.Dispose();
    }

    private bool IsDone()
    {
        long finished = 0;
        for (int thread = 0; thread < Threads; thread++) finished += Volatile.Read(ref _finished[thread * Line]);
        return finished == _given;
    }

    // A thread's own chunks, and then everybody's.
    private void RunAll(int self)
    {
        for (int i = 0; i < Threads; i++)
            while (RunOne(self, (self + i) % Threads))
            {
            }
    }

    // Whoever lowers the ticket owns the chunk. The fields of the job belong to it: the caller cannot return, and so not change them,
    // before the chunk is counted as finished.
    private bool RunOne(int self, int owner)
    {
        long* at = _tickets + owner * Line;
        long ticket = Volatile.Read(ref *at);
        while ((uint)ticket > 0)
        {
            long seen = Interlocked.CompareExchange(ref *at, ticket - 1, ticket);
            if (seen == ticket)
            {
                // The chunks of the last thread that has some may be fewer.
                int own = Math.Min(_perThread, (_items + _chunk - 1) / _chunk - owner * _perThread);
                int first = (owner * _perThread + own - (int)(uint)ticket) * _chunk;
                _body(_job, first, Math.Min(first + _chunk, _items));
                long* finished = _finished + self * Line;
                Volatile.Write(ref *finished, *finished + 1);
                return true;
            }
            ticket = seen;
        }
        return false;
    }

    private void Wake()
    {
        // The tickets must be out before the marks are read; a worker sets its mark before it looks at its ticket a last time.
        Interlocked.MemoryBarrier();
        for (int i = 0; i < _parked.Length; i++)
            if (Volatile.Read(ref _parked[i]) == 1 && Interlocked.Exchange(ref _parked[i], 0) == 1) _wake[i].Release();
    }

    private void Work(int worker)
    {
        long spinTicks = (long)(SpinMicroseconds * Stopwatch.Frequency / 1e6);
        while (!_stopping)
        {
            if (SawWorkWithin(worker, spinTicks))
            {
                RunAll(worker + 1);
                continue;
            }
            Interlocked.Exchange(ref _parked[worker], 1);
            // Work that came between the last look and the mark: take the mark back, unless a waker was faster and its signal must be
            // eaten.
            if ((HasWork(worker) || _stopping) && Interlocked.Exchange(ref _parked[worker], 0) == 1) continue;
            _wake[worker].Wait();
        }
    }

    private bool SawWorkWithin(int worker, long ticks)
    {
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - start < ticks;)
        {
            if (HasWork(worker) || _stopping) return true;
            Thread.SpinWait(4);
        }
        return false;
    }

    private bool HasWork(int worker) => (uint)Volatile.Read(ref _tickets[(worker + 1) * Line]) > 0;
}
