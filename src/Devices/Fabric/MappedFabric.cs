using System.Diagnostics.CodeAnalysis;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>A fabric whose windows every rank addresses directly: threads of one process, or processes of one host over /dev/shm.</summary>
internal sealed unsafe class MappedFabric : IFabric
{
    private readonly FabricSetup _setup;
    private readonly Window[] _windows;
    private readonly Window _own;
    private readonly long _planBytes;
    private readonly int _flags, _self;
    private readonly AbortRecord* _abort;
    private readonly Lock _gate = new();
    private readonly WaitPolicy _policy;
    private Failure? _failure;
    private bool _disposed;
    private long _bytesSent;

    private MappedFabric(string name, FabricSetup setup, Window[] windows)
    {
        (Name, _setup, _windows, _self) = (name, setup, windows, setup.Self.Value);
        (_planBytes, _flags) = (setup.Plan.Bytes, setup.Plan.Flags);
        _own = windows[_self];
        _abort = _own.Abort;
        _policy = new WaitPolicy(setup.World.Size);
    }

    /// <summary>
    /// Checks every window and tells every peer that it is mapped; returns once all peers have mapped this rank's window. Takes over the
    /// windows, also when it fails.
    /// </summary>
    public static MappedFabric Connect(string name, FabricSetup setup, Window[] windows)
    {
        var fabric = new MappedFabric(name, setup, windows);
        try
        {
            foreach (var peer in setup.World.Ranks)
                if (fabric._own.Identity.Refuses(windows[peer.Value].Identity, peer.Value) is { } problem)
                    throw new FabricSetupException(setup.Self, problem);
            var deadline = new Deadline(setup.Options.Clock, setup.Options.SetupDeadline);
            foreach (var peer in setup.World.Ranks)
                fabric.Raise(peer.Value, WindowLayout.HelloFlag, 1);
            foreach (var peer in setup.World.Ranks)
                fabric.WaitFor(peer, WindowLayout.HelloFlag, 1, deadline);
            return fabric;
        }
        catch (FabricException failed)
        {
            fabric.Dispose();
            throw new FabricSetupException(setup.Self, $"set-up of fabric {name}: {failed.Message}", failed);
        }
        catch
        {
            fabric.Dispose();
            throw;
        }
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
        var target = At(_windows[peer.Value], region);
        if (target.Length != source.Length) Bounds.ThrowLength(region, source.Length);
        if (peer.Value == _self || source.Length < Streamed.Least)
        {
            source.CopyTo(target);
        }
        else
        {
            fixed (byte* from = source, to = target) Streamed.Copy(from, to, source.Length);
        }
        if (peer.Value != _self) _bytesSent += source.Length;
    }

    public void Notify(RankId peer, int flag, ulong value)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flags);
        Raise(peer.Value, flag, value);
    }

    public ulong Wait(RankId peer, int flag, ulong value)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flags);
        ulong seen = Volatile.Read(ref *_own.Flag(peer.Value, flag));
        return seen >= value ? seen : WaitFor(peer, flag, value, deadline: null);
    }

    public ulong Peek(RankId peer, int flag)
    {
        ThrowIfDead();
        Bounds.CheckFlag(flag, _flags);
        return Volatile.Read(ref *_own.Flag(peer.Value, flag));
    }

    public bool TryMap(RankId peer, Region region, out Span<byte> mapped)
    {
        ThrowIfDead();
        mapped = At(_windows[peer.Value], region);
        return true;
    }

    public void SetStatus(StepPoint point)
    {
        ThrowIfDead();
        _own.Status = point;
    }

    public StepPoint StatusOf(RankId peer)
    {
        lock (_gate) return _disposed ? default : _windows[peer.Value].Status;
    }

    public void Abort(RankId? culprit, string reason)
    {
        lock (_gate)
        {
            if (_disposed) return;
            int blamed = culprit?.Value ?? -1;
            // The record in rank 0's window decides who was first; everybody spreads that one, so that all ranks tell the same story.
            var first = _windows[0];
            if (first.ClaimAbort()) first.PublishAbort(blamed, reason);
            else if (Settled(first)) first.TryReadAbort(out blamed, out reason);
            // First the word to all, then the bells: whoever is woken may take this thread's core for a while.
            foreach (var window in _windows)
                if (window.ClaimAbort()) window.PublishAbort(blamed, reason);
            foreach (var window in _windows) window.RingAlways();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            Interlocked.Exchange(ref *_own.Closed, 1);
            foreach (var window in _windows)
                if (window is not null && window != _own) window.Ring(_self);
            foreach (var window in _windows) window?.Dispose();
        }
    }

    /// <summary>A claimed record is written in a moment, unless its writer died right then: whoever comes next does not wait for it
    /// long.</summary>
    private static bool Settled(Window window)
    {
        var patience = new Deadline(TimeProvider.System, TimeSpan.FromMilliseconds(2));
        do
        {
            if (window.TryReadAbort(out _, out _)) return true;
            Thread.Yield();
        }
        while (!patience.Passed);
        return false;
    }

    private void Raise(int peer, int flag, ulong value)
    {
        var window = _windows[peer];
        // Store and full fence in one: what was streamed is visible before it, and it before we look whether the peer sleeps (see WaitFor).
        Interlocked.Exchange(ref *window.Flag(_self, flag), value);
        window.Ring(_self);
    }

    private ulong WaitFor(RankId peer, int flag, ulong value, Deadline? deadline)
    {
        ulong* word = _own.Flag(peer.Value, flag);
        if (Watched(word, value, out ulong seen)) return seen;
        var until = deadline ?? new Deadline(_setup.Options.Clock, _setup.Options.WaitDeadline);
        while (true)
        {
            // Say that we sleep, full fence, look again, sleep: a notifier that stores after our look sees that we sleep.
            Interlocked.Exchange(ref *_own.Bell, 1 + (uint)peer.Value);
            bool done = Arrived(word, value, out seen);
            if (!done)
            {
                TimeSpan left = until.Left, nap = _setup.Options.LongestNap;
                Libc.FutexWait(_own.Bell, 1 + (uint)peer.Value, left < nap ? left : nap);
            }
            bool rung = Interlocked.Exchange(ref *_own.Bell, 0) == 0;
            if (done || Arrived(word, value, out seen)) return seen;
            // Another flag of the peer woke us: what is waited for may well follow.
            if (rung && Watched(word, value, out seen)) return seen;
            bool gone = _windows[peer.Value].OwnerGone;
            if (gone && Arrived(word, value, out seen)) return seen; // its last Notify came before its end
            // It may have ended because of an abort that is not in our window yet; in rank 0's it is.
            if (gone && Aborted(_windows[0]) is { } abort) Fail(abort);
            if (gone) Fail(new Failure(peer, Failure.ClosedByPeer));
            if (until.Passed) Fail(Failure.Silent(peer, until, _windows[peer.Value].Status));
        }
    }

    /// <summary>Looks for the flag for as long as the policy stays awake.</summary>
    private bool Watched(ulong* word, ulong value, out ulong seen)
    {
        for (int turn = 0; _policy.Pass(turn); turn++)
            if (Arrived(word, value, out seen)) return true;
        seen = 0;
        return false;
    }

    private bool Arrived(ulong* word, ulong value, out ulong seen)
    {
        if (Volatile.Read(ref _abort->State) == AbortRecord.Published) ThrowIfDead();
        seen = Volatile.Read(ref *word);
        return seen >= value;
    }

    private Span<byte> At(Window window, Region region)
    {
        Bounds.CheckRegion(region, _planBytes);
        return new Span<byte>(window.Data + region.Offset, (int)region.Length);
    }

    private void ThrowIfDead()
    {
        if (_disposed || _failure is not null || Volatile.Read(ref _abort->State) == AbortRecord.Published) ThrowDead();
    }

    [DoesNotReturn]
    private void ThrowDead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Fail(_failure ?? Aborted(_own)!);
    }

    private Failure? Aborted(Window window) => !window.TryReadAbort(out int culprit, out string reason)
        ? null
        : new Failure((uint)culprit < (uint)World.Size ? World.Rank(culprit) : null, reason);

    [DoesNotReturn]
    private void Fail(Failure failure)
    {
        _failure ??= failure;
        throw new FabricException(Self, _failure.Culprit, _own.Status, _failure.Reason);
    }
}
