using System.Diagnostics.CodeAnalysis;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Faults;

/// <summary>
/// A fabric on which things go wrong as a plan says, over any other fabric, which it owns. Between its faults it keeps the contract of
/// <see cref="IFabric"/> and allocates nothing.
/// </summary>
public sealed class FaultyFabric : IFabric
{
    private static readonly TimeSpan Nap = TimeSpan.FromMilliseconds(1);

    private readonly IFabric _inner;
    private readonly FaultPlan _plan;
    private readonly FaultRule[] _rules;
    private readonly int[] _met; // how often each rule's point was met
    private readonly FabricOptions _options;
    private readonly Action? _die;
    private readonly HeldBack _held;
    private readonly bool[] _cut; // peers that nothing reaches any more
    private readonly object _stirred = new(); // pulsed when a rank that naps should look
    private byte[] _corrupted = []; // the last Put that was corrupted: the fabric below may read it until the next Notify
    private TimeSpan _slow;
    private bool _hung;
    private StepPoint _at;
    private string? _dead; // why every call throws
    private volatile bool _killed;

    /// <summary>
    /// Wraps a fabric. <paramref name="options"/>: its deadline and clock. <paramref name="die"/>: what <see cref="Fault.Kill"/> does
    /// first, as to kill this process.
    /// </summary>
    public FaultyFabric(IFabric inner, FaultPlan plan, FabricOptions options, Action? die = null)
    {
        (_inner, _plan, _options, _die) = (inner, plan, options, die);
        (_rules, _met, _cut) = ([.. plan.Rules], new int[plan.Rules.Count], new bool[inner.World.Size]);
        _held = new HeldBack(inner);
    }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
    public World World => _inner.World;

    /// <inheritdoc/>
    public RankId Self => _inner.Self;

    /// <inheritdoc/>
    public long BytesSent => _inner.BytesSent;

    /// <inheritdoc/>
    public Span<byte> Local(Region region)
    {
        Enter();
        return _inner.Local(region);
    }

    /// <inheritdoc/>
    public void Put(RankId peer, Region region, ReadOnlySpan<byte> source)
    {
        var fault = Meet(FaultOperation.Put, peer);
        if (_cut[peer.Value]) return;
        switch (fault)
        {
            case Fault.Drop drop:
                _cut[peer.Value] = !drop.Silent;
                return;
            case Fault.Truncate truncate:
                int rest = (int)(source.Length * Math.Clamp(truncate.Share, 0, 1));
                Send(peer, region.Slice(0, rest), source[..rest]);
                _cut[peer.Value] = !truncate.Silent;
                return;
            case Fault.Delay or Fault.DelayFor:
                _held.Put(peer, region, source, Until(fault));
                return;
            case Fault.Reorder reorder:
                _held.Shuffle(peer, reorder.Seed);
                break;
            case Fault.Duplicate:
                Send(peer, region, source);
                break;
            case Fault.Corrupt corrupt when source.Length > 0:
                _corrupted = GC.AllocateUninitializedArray<byte>(source.Length, pinned: true);
                source.CopyTo(_corrupted);
                _corrupted[corrupt.Byte % source.Length] ^= corrupt.Bits;
                Send(peer, region, _corrupted);
                return;
        }
        Send(peer, region, source);
    }

    /// <inheritdoc/>
    public void Notify(RankId peer, int flag, ulong value)
    {
        var fault = Meet(FaultOperation.Notify, peer);
        if (_cut[peer.Value] || fault is Fault.Drop) return;
        if (fault is Fault.Delay or Fault.DelayFor)
        {
            _held.Notify(peer, flag, value, Until(fault));
            return;
        }
        if (fault is Fault.Duplicate) Send(peer, flag, value);
        Send(peer, flag, value);
    }

    /// <inheritdoc/>
    public ulong Wait(RankId peer, int flag, ulong value)
    {
        if (Meet(FaultOperation.Wait, peer) is Fault.DelayFor late) Pause(late.Time);
        if (_held.Any) LetGo(peer, flag, value);
        return _inner.Wait(peer, flag, value);
    }

    /// <inheritdoc/>
    public ulong Peek(RankId peer, int flag)
    {
        Enter();
        _held.Count();
        return _inner.Peek(peer, flag);
    }

    /// <inheritdoc/>
    public bool TryMap(RankId peer, Region region, out Span<byte> mapped)
    {
        Enter();
        if (peer == Self || !_plan.HidesWindows) return _inner.TryMap(peer, region, out mapped);
        _ = _inner.Local(region); // refuses a region that is none
        mapped = default;
        return false;
    }

    /// <inheritdoc/>
    public void SetStatus(StepPoint point)
    {
        Enter();
        _inner.SetStatus(point);
        _at = point;
        Meet(FaultOperation.Any, peer: null);
    }

    /// <inheritdoc/>
    public StepPoint StatusOf(RankId peer) => _killed ? default : _inner.StatusOf(peer);

    /// <inheritdoc/>
    public void Abort(RankId? culprit, string reason)
    {
        if (_killed) return; // the dead tell nothing
        _inner.Abort(culprit, reason);
        lock (_stirred) Monitor.PulseAll(_stirred);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            if (_dead is null && !_hung) _held.ReleaseAll();
        }
        catch (Exception ended) when (ended is FabricException or ObjectDisposedException)
        {
            // Aborted: nobody waits for what was held.
        }
        _held.Clear();
        _inner.Dispose();
    }

    /// <summary>Counts a call at every rule that it fits; what becomes of the rank happens here, what becomes of the call is
    /// returned.</summary>
    private Fault? Meet(FaultOperation operation, RankId? peer)
    {
        Enter();
        _held.Count();
        if (peer == Self) return null;
        Fault? fault = null;
        for (int i = 0; i < _rules.Length; i++)
        {
            var rule = _rules[i];
            if (!rule.At.Fits(operation, peer, _at) || ++_met[i] != rule.At.Nth) continue;
            if (rule.Fault is Fault.Kill) Die();
            if (rule.Fault is Fault.Hang) _hung = true;
            else if (rule.Fault is Fault.Slow slow) _slow += slow.Each;
            else fault ??= rule.Fault;
        }
        if (_hung) Hang();
        if (_slow > TimeSpan.Zero) Pause(_slow);
        return fault;
    }

    private void Enter()
    {
        if (_dead is not null) ThrowDead();
        if (_hung) Hang();
    }

    private void Send(RankId peer, Region region, ReadOnlySpan<byte> source)
    {
        if (_held.Takes(peer)) _held.Put(peer, region, source);
        else _inner.Put(peer, region, source);
    }

    private void Send(RankId peer, int flag, ulong value)
    {
        if (_held.Takes(peer)) _held.Notify(peer, flag, value);
        else _inner.Notify(peer, flag, value);
    }

    private HeldBack.Until Until(Fault fault) => fault is Fault.DelayFor late
        ? new HeldBack.Until(0, new Deadline(_options.Clock, late.Time))
        : new HeldBack.Until(((Fault.Delay)fault).Operations);

    /// <summary>
    /// Before a rank sleeps, what waits for its further calls goes out, and what waits for a time goes out when it has passed.
    /// </summary>
    private void LetGo(RankId peer, int flag, ulong value)
    {
        if (_inner.Peek(peer, flag) >= value) return;
        _held.ReleaseCounted();
        var until = new Deadline(_options.Clock, _options.WaitDeadline);
        while (_held.Any && _inner.Peek(peer, flag) < value && !until.Passed)
        {
            Doze();
            _held.ReleaseCounted();
        }
    }

    private void Pause(TimeSpan time)
    {
        var until = new Deadline(_options.Clock, time);
        while (!until.Passed)
        {
            ThrowIfAborted();
            if (until.Left > 2 * Nap) Doze();
            else Thread.Yield();
        }
    }

    [DoesNotReturn]
    private void Hang()
    {
        var until = new Deadline(_options.Clock, 2 * _options.WaitDeadline);
        while (!until.Passed)
        {
            ThrowIfAborted();
            Doze();
        }
        _dead = "hung, as its fault plan said";
        ThrowDead();
    }

    [DoesNotReturn]
    private void Die()
    {
        _die?.Invoke();
        _killed = true;
        _dead = "died, as its fault plan said";
        _held.Clear();
        _inner.Dispose();
        ThrowDead();
    }

    private void Doze()
    {
        lock (_stirred) Monitor.Wait(_stirred, Nap);
    }

    private void ThrowIfAborted() => _ = _inner.Local(default);

    [DoesNotReturn]
    private void ThrowDead() => throw new FabricException(Self, Self, _at, _dead!);
}
