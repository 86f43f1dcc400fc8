using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// A fabric over sockets. The executor itself moves all bytes, inside Put, Notify and Wait; while a write would block it reads what the
/// peers send, so that all may send much at once.
/// <para>On a mixed fabric the windows of peers on the same host are mapped: bytes and flags for them are stored there, and if such a peer
/// sleeps, a bell on its socket wakes it. A futex could not: a rank that sleeps must also read what comes from other hosts.</para>
/// </summary>
internal sealed unsafe class TcpFabric : IFabric
{
    private readonly FabricSetup _setup;
    private readonly long _planBytes;
    private readonly int _self, _flagCount;
    private readonly Window?[] _windows; // by rank; null on other hosts
    private readonly Window _own;
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

    /// <summary>
    /// Takes over the windows, by rank: this rank's own and those that are mapped; and the descriptors of the connections, by rank.
    /// </summary>
    public TcpFabric(string name, FabricSetup setup, Window?[] windows, int[] data, int[] control)
    {
        (Name, _setup, _self, _planBytes, _flagCount) = (name, setup, setup.Self.Value, setup.Plan.Bytes, setup.Plan.Flags);
        (_windows, _own) = (windows, windows[_self]!);
        _entries = (Sockets.PollEntry*)NativeMemory.AllocZeroed((nuint)World.Size + 1, (nuint)sizeof(Sockets.PollEntry));
        _entries[World.Size] = new Sockets.PollEntry { Descriptor = _wakeUp.Descriptor, Events = Sockets.Readable };
        _links = [.. data.Select((descriptor, rank) =>
            rank == _self ? null : new TcpLink(descriptor, _own.Data, _planBytes, _own.Flag(rank, 0), _flagCount))];
        _policy = new WaitPolicy(World.Size, crowdedSpins: 1);
        _control = new TcpControl(setup, control, Spread);
        _control.Start();
    }

    public string Name { get; }

    public World World => _setup.World;

    public RankId Self => _setup.Self;

    public long BytesSent => Volatile.Read(ref _bytesSent);

    public Span<byte> Local(Region region)
    {
        ThrowIfDead();
        return At(_own, region);
    }

    public void Put(RankId peer, Region region, ReadOnlySpan<byte> source)
    {
        ThrowIfDead();
        Bounds.CheckRegion(region, _planBytes);
        if (region.Length != source.Length) Bounds.ThrowLength(region, source.Length);
        if (_windows[peer.Value] is { } window)
        {
            source.CopyTo(At(window, region));
            if (window != _own) _bytesSent += source.Length;
            return;
        }
        var link = _links[peer.Value]!;
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
        var link = _links[peer.Value];
        if (_windows[peer.Value] is not { } window)
        {
            link!.Notify(flag, value);
        }
        else
        {
            // Store and full fence in one: what was streamed is visible before it, and it before we look whether the peer sleeps.
            Interlocked.Exchange(ref *window.Flag(_self, flag), value);
            if (link is null || !window.TakeBell(_self)) return;
            link.Bell();
        }
        Push(peer, link);
    }

    public ulong Wait(RankId peer, int flag, ulong value)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flagCount);
        ulong* word = _own.Flag(peer.Value, flag);
        if (Arrived(word, value, out ulong seen)) return seen;
        bool mapped = _windows[peer.Value] is not null, stirred = true;
        var deadline = new Deadline(_setup.Options.Clock, _setup.Options.WaitDeadline);
        while (true)
        {
            // Whatever else the peer sent, what is waited for may well follow.
            if (stirred && Watched(peer, mapped, word, value, out seen)) return seen;
            // Say that we sleep, full fence, look again, sleep: a mapped notifier that stores after our look sees that we sleep.
            if (mapped) Interlocked.Exchange(ref *_own.Bell, 1 + (uint)peer.Value);
            bool done = Arrived(word, value, out seen);
            if (!done) stirred = Sleep(writing: null, peer, deadline);
            if (mapped) Volatile.Write(ref *_own.Bell, 0);
            if (done || Arrived(word, value, out seen)) return seen;
        }
    }

    public ulong Peek(RankId peer, int flag)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flagCount);
        if (_windows[peer.Value] is null) Read(peer);
        return Volatile.Read(ref *_own.Flag(peer.Value, flag));
    }

    public bool TryMap(RankId peer, Region region, out Span<byte> mapped)
    {
        ThrowIfDead();
        var window = _windows[peer.Value];
        mapped = window is null ? default : At(window, region);
        return window is not null;
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
        foreach (var window in _windows) window?.Dispose();
        NativeMemory.Free(_entries);
    }

    /// <summary>Looks for the flag for as long as the policy stays awake.</summary>
    private bool Watched(RankId peer, bool mapped, ulong* word, ulong value, out ulong seen)
    {
        for (int turn = 0; ; turn++)
        {
            if (!mapped) Read(peer);
            if (Arrived(word, value, out seen)) return true;
            ThrowIfDead();
            if (!_policy.Pass(turn)) return false;
        }
    }

    private static bool Arrived(ulong* word, ulong value, out ulong seen)
    {
        seen = Volatile.Read(ref *word);
        return seen >= value;
    }

    private Span<byte> At(Window window, Region region)
    {
        Bounds.CheckRegion(region, _planBytes);
        return new Span<byte>(window.Data + region.Offset, (int)region.Length);
    }

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
    /// <returns>Whether <paramref name="awaited"/> sent something.</returns>
    private bool Sleep(TcpLink? writing, RankId awaited, Deadline deadline)
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
        return _entries[awaited.Value].Found != 0;
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
