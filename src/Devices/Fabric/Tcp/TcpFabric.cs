using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// A fabric over sockets. The executor itself moves all bytes, inside Put, Notify and Wait; while a write would block it reads what the
/// peers send, so that all may send much at once.
/// </summary>
internal sealed unsafe class TcpFabric : IFabric
{
    private readonly FabricSetup _setup;
    private readonly long _planBytes;
    private readonly int _self, _flagCount;
    private readonly void* _memory;
    private readonly byte* _window;
    private readonly ulong* _flags; // [source, flag]
    private readonly TcpLink?[] _links; // by rank, null for this one
    private readonly TcpControl _control;
    private readonly Sockets.PollEntry* _entries; // by rank, then the wake-up
    private readonly WakeUp _wakeUp = new();
    private readonly WaitPolicy _policy;
    private readonly Lock _gate = new();
    private volatile Failure? _failure; // what ends this rank's calls
    private Failure? _abort; // what all ranks are told: the first that this rank heard of
    private bool _disposed;
    private long _bytesSent;

    /// <summary>Takes over the descriptors of the connections, by rank.</summary>
    public TcpFabric(FabricSetup setup, int[] data, int[] control)
    {
        const int alignment = 4096;
        (_setup, _self, _planBytes, _flagCount) = (setup, setup.Self.Value, setup.Plan.Bytes, setup.Plan.Flags);
        _memory = NativeMemory.AllocZeroed(checked((nuint)_planBytes + alignment));
        _window = (byte*)(((nuint)_memory + alignment - 1) / alignment * alignment);
        _flags = (ulong*)NativeMemory.AllocZeroed((nuint)Math.Max(1, (long)World.Size * _flagCount), sizeof(ulong));
        _entries = (Sockets.PollEntry*)NativeMemory.AllocZeroed((nuint)World.Size + 1, (nuint)sizeof(Sockets.PollEntry));
        _entries[World.Size] = new Sockets.PollEntry { Descriptor = _wakeUp.Descriptor, Events = Sockets.Readable };
        _links = [.. data.Select((descriptor, rank) =>
            rank == _self ? null : new TcpLink(descriptor, _window, _planBytes, _flags + (long)rank * _flagCount, _flagCount))];
        _policy = new WaitPolicy(World.Size);
        _control = new TcpControl(setup, control, Spread);
        _control.Start();
    }

    public string Name => Fabrics.NameOf(FabricKind.Tcp);

    public World World => _setup.World;

    public RankId Self => _setup.Self;

    public long BytesSent => Volatile.Read(ref _bytesSent);

    public Span<byte> Local(Region region)
    {
        ThrowIfDead();
        Bounds.CheckRegion(region, _planBytes);
        return new Span<byte>(_window + region.Offset, (int)region.Length);
    }

    public void Put(RankId peer, Region region, ReadOnlySpan<byte> source)
    {
        ThrowIfDead();
        Bounds.CheckRegion(region, _planBytes);
        if (region.Length != source.Length) Bounds.ThrowLength(region, source.Length);
        if (_links[peer.Value] is not { } link)
        {
            source.CopyTo(Local(region));
            return;
        }
        fixed (byte* start = source)
        {
            if (link.IsFullFor(source.Length))
            {
                link.Flush();
                Push(peer, link);
            }
            link.Put(region, start);
            Push(peer, link);
        }
        _bytesSent += source.Length;
    }

    public void Notify(RankId peer, int flag, ulong value)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flagCount);
        if (_links[peer.Value] is not { } link)
        {
            *Flag(peer, flag) = value;
            return;
        }
        link.Notify(flag, value);
        Push(peer, link);
    }

    public ulong Wait(RankId peer, int flag, ulong value)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flagCount);
        ulong* word = Flag(peer, flag);
        if (*word >= value) return *word;
        for (int turn = 0; ; turn++)
        {
            Read(peer);
            if (*word >= value) return *word;
            ThrowIfDead();
            if (!_policy.Pass(turn)) break;
        }
        var deadline = new Deadline(_setup.Options.Clock, _setup.Options.WaitDeadline);
        while (true)
        {
            if (*word >= value) return *word;
            Sleep(writing: null, peer, deadline);
        }
    }

    public ulong Peek(RankId peer, int flag)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flagCount);
        Read(peer);
        return *Flag(peer, flag);
    }

    public bool TryMap(RankId peer, Region region, out Span<byte> mapped)
    {
        mapped = peer == Self ? Local(region) : default;
        return peer == Self;
    }

    public void SetStatus(StepPoint point)
    {
        ThrowIfDead();
        _control.OwnStatus = point;
    }

    public StepPoint StatusOf(RankId peer)
    {
        if (peer == Self) return _control.OwnStatus;
        return Volatile.Read(ref _disposed) ? default : _control.StatusOf(peer.Value);
    }

    public void Abort(RankId? culprit, string reason)
    {
        lock (_gate)
        {
            if (_disposed) return;
            // The others first: this rank's own executor, once woken, may take this thread's core for a while.
            if (_abort is null) _control.Abort(_abort = new Failure(culprit, reason));
            End();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            Volatile.Write(ref _disposed, true);
        }
        _control.Dispose();
        foreach (var link in _links) link?.Dispose();
        _wakeUp.Dispose();
        NativeMemory.Free(_memory);
        NativeMemory.Free(_flags);
        NativeMemory.Free(_entries);
    }

    private ulong* Flag(RankId source, int flag) => _flags + (long)source.Value * _flagCount + flag;

    /// <summary>
    /// Aborts because another rank told. This rank's calls end first; then it tells all others, for the first to know may have died while
    /// it told them. Nobody sees this rank go without having heard why: Dispose waits for the gate.
    /// </summary>
    private void Spread(Failure failure)
    {
        lock (_gate)
        {
            if (_disposed) return;
            bool first = _abort is null;
            _abort ??= failure;
            End();
            if (first) _control.Abort(_abort);
        }
    }

    private void End()
    {
        Interlocked.CompareExchange(ref _failure, _abort, null);
        _wakeUp.Set();
        _control.Stir();
    }

    /// <summary>Writes what is ready for a peer, and reads from everybody meanwhile.</summary>
    private void Push(RankId peer, TcpLink link)
    {
        if (link.Write()) return;
        var deadline = new Deadline(_setup.Options.Clock, _setup.Options.WaitDeadline);
        while (!link.Write()) Sleep(writing: link, peer, deadline);
    }

    private void Read(RankId peer)
    {
        if (_links[peer.Value] is not { } link) return;
        link.Read();
        if (link.Violation is not { } violation) return;
        Abort(peer, violation);
        ThrowDead();
    }

    /// <summary>
    /// Sleeps until any peer sent something, <paramref name="writing"/> takes more, or an abort comes, and reads. Throws when there is
    /// nothing left to hope for from <paramref name="awaited"/>.
    /// </summary>
    private void Sleep(TcpLink? writing, RankId awaited, Deadline deadline)
    {
        if (_links[awaited.Value] is { Closed: true })
        {
            _control.AwaitEnd(awaited.Value); // why it ended may still be on its way
            ThrowIfDead();
            Fail(new Failure(awaited, Failure.ClosedByPeer));
        }
        for (int rank = 0; rank < _links.Length; rank++)
        {
            var link = _links[rank];
            _entries[rank].Descriptor = link is null or { Closed: true } ? -1 : link.Descriptor;
            _entries[rank].Events = link is not null && link == writing ? (short)(Sockets.Readable | Sockets.Writable) : Sockets.Readable;
        }
        TimeSpan left = deadline.Left, nap = _setup.Options.LongestNap;
        Sockets.Poll(_entries, _links.Length + 1, left < nap ? left : nap);
        for (int rank = 0; rank < _links.Length; rank++)
            if (_entries[rank].Found != 0) Read(World.Rank(rank));
        ThrowIfDead();
        if (left == TimeSpan.Zero) Fail(Failure.Silent(awaited, deadline, StatusOf(awaited)));
    }

    private void ThrowIfDead()
    {
        if (_disposed || _failure is not null) ThrowDead();
    }

    [DoesNotReturn]
    private void ThrowDead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Fail(_failure!);
    }

    [DoesNotReturn]
    private void Fail(Failure failure)
    {
        Interlocked.CompareExchange(ref _failure, failure, null);
        throw new FabricException(Self, _failure!.Culprit, _control.OwnStatus, _failure.Reason);
    }
}
