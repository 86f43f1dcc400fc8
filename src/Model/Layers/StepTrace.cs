using System.Runtime.CompilerServices;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>A stretch of a step on one rank.</summary>
/// <param name="Step">The step; of <see cref="StepActivity.Idle"/> the one that was waited for.</param>
/// <param name="Lane">Its lane.</param>
/// <param name="Activity">What it is about.</param>
/// <param name="Layer">The layer, -1 outside of layers; of a wait or a notification that of its activity.</param>
/// <param name="Peer">Who was waited for or notified; -1 for nobody.</param>
/// <param name="Amount">
/// Steps: rows of this rank's replica. Posts and sends: payload bytes to other ranks. Experts: pairs of row and expert. Waits and
/// notifications: the flag's value, as it was seen or raised.
/// </param>
/// <param name="Detail">Steps: how many spans of it came before, the idle one included. Experts: how many experts had rows. Waits and
/// notifications: the flag.</param>
/// <param name="Start">Ticks of the rank's clock.</param>
/// <param name="Ticks">How many it took.</param>
public readonly record struct StepSpan(
    StepId Step, int Lane, StepActivity Activity, int Layer, int Peer, long Amount, int Detail, long Start, long Ticks)
{
    /// <summary>Ticks of the rank's clock.</summary>
    public long End => Start + Ticks;
}

/// <summary>
/// The last spans of a rank's steps, in a ring that is made once. One thread writes, which costs a few nanoseconds a span beside its
/// caller's reading of the clock; any other may read meanwhile, and gets only spans that were not overwritten while it copied them. A span
/// is written when it ends, so a step's own comes after those in it.
/// </summary>
public sealed class StepTrace
{
    /// <summary>Spans that the writer may be ahead of what it has announced; readers stay clear of them.</summary>
    private const int Block = 128;

    private readonly StepSpan[] _ring;
    private readonly long[] _starts; // by step, the kept ones and those about to be overwritten: its first span
    private long _written, _claimed, _steps;
    private StepId _step;
    private StepActivity _activity;
    private int _lane, _layer, _detail;
    private long _since, _amount, _begun, _first, _ended;

    /// <summary>Room for about so many steps of so many spans each: a step with more takes the place of others.</summary>
    public StepTrace(int steps, int spansPerStep)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(spansPerStep, 1);
        Steps = steps;
        _starts = new long[steps + 2];
        _ring = new StepSpan[checked(steps * spansPerStep) + (2 * Block)];
    }

    /// <summary>How many steps are kept.</summary>
    public int Steps { get; }

    /// <summary>Spans written since the start: those from 0 to here have been, the last of them are still held.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>Whether a step is in hand.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>A step begins at this tick.</summary>
    public void Begin(StepId step, int lane, long now)
    {
        (_step, _lane, _begun, _first, IsOpen) = (step, lane, now, _written, true);
        _starts[_steps % _starts.Length] = _written;
        Volatile.Write(ref _steps, _steps + 1);
        if (_ended != 0) Add(new StepSpan(step, lane, StepActivity.Idle, -1, -1, 0, 0, _ended, now - _ended));
        (_activity, _layer, _since, _amount, _detail) = (StepActivity.Other, -1, now, 0, 0);
    }

    /// <summary>The step goes from one activity to the next.</summary>
    /// <param name="activity">What it does from now on.</param>
    /// <param name="layer">The layer, -1 outside of layers.</param>
    /// <param name="now">Ticks.</param>
    public void At(StepActivity activity, int layer, long now)
    {
        if (!IsOpen || (activity == _activity && layer == _layer)) return;
        Close(now);
        (_activity, _layer, _since, _amount, _detail) = (activity, layer, now, 0, 0);
    }

    /// <summary>What the activity in hand handles; adds up.</summary>
    public void Note(long amount, int detail)
    {
        _amount += amount;
        _detail += detail;
    }

    /// <summary>A wait for a peer's flag, or a notification of it, within the activity in hand.</summary>
    public void Within(StepActivity kind, RankId peer, int flag, ulong value, long start, long end) => Add(
        new StepSpan(_step, _lane, kind, _layer, peer.Value, (long)(value & long.MaxValue), flag, start, end - start));

    /// <summary>The step ends at this tick.</summary>
    /// <param name="kind">Decode or prefill.</param>
    /// <param name="rows">Rows of this rank's replica.</param>
    /// <param name="now">Ticks.</param>
    public void End(StepActivity kind, int rows, long now)
    {
        Close(now);
        Add(new StepSpan(_step, _lane, kind, -1, -1, rows, (int)(_written - _first), _begun, now - _begun));
        (_ended, IsOpen) = (now, false);
    }

    /// <summary>The number of the first span of the last so many steps, of those that are kept, and of the one in hand.</summary>
    public long StartOf(int lastSteps)
    {
        long steps = Volatile.Read(ref _steps), from = Math.Max(0, steps - Math.Min(lastSteps, Steps) - 1);
        return steps == 0 ? 0 : Math.Min(Volatile.Read(ref _starts[from % _starts.Length]), Written);
    }

    /// <summary>
    /// Copies spans from number <paramref name="from"/> on, as many as there are and have room. For any thread.
    /// </summary>
    /// <param name="from">The number of the first span wanted.</param>
    /// <param name="into">Takes them.</param>
    /// <param name="first">The number of the first span copied: later than wanted, where the writer has overtaken.</param>
    /// <returns>How many.</returns>
    public int Read(long from, Span<StepSpan> into, out long first)
    {
        long end = Written;
        first = Math.Min(end, Math.Max(from, Math.Max(0, end - _ring.Length)));
        int count = (int)Math.Min(into.Length, end - first);
        for (int i = 0; i < count; i++) into[i] = _ring[(first + i) % _ring.Length];
        Interlocked.MemoryBarrier();
        // What the writer may have begun to overwrite since is thrown away.
        int lost = (int)Math.Clamp(Volatile.Read(ref _claimed) - _ring.Length - first, 0, count);
        into[lost..count].CopyTo(into);
        first += lost;
        return count - lost;
    }

    private void Close(long now) =>
        Add(new StepSpan(_step, _lane, _activity, _layer, -1, _amount, _detail, _since, now - _since));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Add(in StepSpan span)
    {
        if (_written == _claimed) Claim();
        _ring[_written % _ring.Length] = span;
        Volatile.Write(ref _written, _written + 1);
    }

    /// <summary>Says that the next spans are going to be written, before any of them is.</summary>
    private void Claim()
    {
        Volatile.Write(ref _claimed, _claimed + Block);
        Interlocked.MemoryBarrier();
    }
}
