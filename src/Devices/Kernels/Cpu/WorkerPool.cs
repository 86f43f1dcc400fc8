using System.Diagnostics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// A device's own threads for loops of a few microseconds. A job is cut into chunks that the caller and the awake workers take one by one;
/// a worker that is asleep or late is never waited for, only one that has taken a chunk. Workers spin briefly after a job and then park, so
/// that ranks may outnumber cores. Jobs are plain structs on the caller's stack: nothing is allocated per call.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // Longer than the gaps between the kernels of a layer, shorter than a scheduler's time slice.
    private const double SpinMicroseconds = 40;

    // Multiply-adds that are worth handing out (about 1 us), and that are worth waking a parked thread for (about 5 us).
    private const long ChunkWork = 32 * 1024, WakeWork = 192 * 1024;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _parked;
    private readonly NativeBuffer _shared = new(3 * 64);
    private readonly long* _ticket, _done;
    private NativeBuffer _room = new(0);
    private delegate*<void*, int, int, void> _body;
    private void* _job;
    private int _items, _chunk;
    private uint _generation;
    private volatile bool _stopping;

    /// <summary>Starts the workers; one thread in all means none.</summary>
    public WorkerPool(int threads)
    {
        if (threads is < 1 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(threads), $"threads must be in [1, 1024], got {threads}");
        // The ticket is (generation, chunks not yet taken); each on a cache line of its own.
        _ticket = (long*)_shared.Data;
        _done = _ticket + 8;
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
        int chunks = (int)Math.Min(Math.Min(items, total / ChunkWork), Threads * 4L);
        if (Threads == 1 || chunks < 2)
        {
            body(job, 0, items);
            return;
        }
        _body = body;
        _job = job;
        (_items, _chunk) = (items, (items + chunks - 1) / chunks);
        chunks = (items + _chunk - 1) / _chunk;
        Volatile.Write(ref *_done, 0);
        Interlocked.Exchange(ref *_ticket, ((long)++_generation << 32) | (uint)chunks);
        if (total >= WakeWork) Wake();
        while (RunOne())
        {
        }
        var spin = new SpinWait();
        while (Volatile.Read(ref *_done) < chunks) spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Ends the workers.</summary>
    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        Interlocked.MemoryBarrier();
        Wake();
        foreach (Thread thread in _threads) thread.Join();
        foreach (SemaphoreSlim wake in _wake) wake.Dispose();
        _shared.Dispose();
        _room.Dispose();
    }

    // Whoever lowers the ticket owns the chunk. The fields of the job belong to it: the caller cannot return, and so not change them,
    // before the chunk is counted as done.
    private bool RunOne()
    {
        long ticket = Volatile.Read(ref *_ticket);
        while ((uint)ticket > 0)
        {
            long seen = Interlocked.CompareExchange(ref *_ticket, ticket - 1, ticket);
            if (seen == ticket)
            {
                int first = ((int)(uint)ticket - 1) * _chunk;
                _body(_job, first, Math.Min(first + _chunk, _items));
                Interlocked.Increment(ref *_done);
                return true;
            }
            ticket = seen;
        }
        return false;
    }

    private void Wake()
    {
        for (int i = 0; i < _parked.Length; i++)
            if (Volatile.Read(ref _parked[i]) == 1 && Interlocked.Exchange(ref _parked[i], 0) == 1) _wake[i].Release();
    }

    private void Work(int worker)
    {
        long spinTicks = (long)(SpinMicroseconds * Stopwatch.Frequency / 1e6);
        while (!_stopping)
        {
            if (RunOne() || SawWorkWithin(spinTicks)) continue;
            Interlocked.Exchange(ref _parked[worker], 1);
            // Work that came between the last look and the mark: take the mark back, unless a waker was faster and its signal must be
            // eaten.
            bool late = (uint)Volatile.Read(ref *_ticket) > 0 || _stopping;
            if (late && Interlocked.Exchange(ref _parked[worker], 0) == 1) continue;
            _wake[worker].Wait();
        }
    }

    private bool SawWorkWithin(long ticks)
    {
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - start < ticks;)
        {
            if ((uint)Volatile.Read(ref *_ticket) > 0 || _stopping) return true;
            Thread.SpinWait(4);
        }
        return false;
    }
}
