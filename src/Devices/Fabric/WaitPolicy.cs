using System.Diagnostics;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Fabric;

/// <summary>
/// What a rank's waits do before they sleep: they spin for a moment, then offer the core to others. With no more ranks than cores a short
/// spin nearly always suffices; with more, spinning holds up the very rank that is waited for. To yield is cheap among ranks that wait for
/// each other, but where somebody else computes it costs a whole slice of the scheduler (4 ranks on 2 busy cores: 3 ms per step instead of
/// 0.1 ms with sleeping at once), so after a slow yield the next waits sleep at once, and more of them each time.
/// </summary>
internal sealed class WaitPolicy
{
    /// <summary>
    /// The longest sleep in one piece. Wake-ups are not lost, but a notifier that dies between its store and its wake sends none, and a
    /// process that died is only seen when somebody looks.
    /// </summary>
    public static readonly TimeSpan LongestNap = TimeSpan.FromMilliseconds(20);

    private const int FewestSkips = 64, MostSkips = 1 << 11;

    // 50 µs: no rank that only looks and yields again takes that long
    private static readonly long SlowYield = Stopwatch.Frequency / 20_000;

    private readonly int _spins, _yields;
    private int _skips, _nextSkips = FewestSkips;
    private bool _slow;

    public WaitPolicy(int ranks) => (_spins, _yields) = ranks <= Environment.ProcessorCount ? (1000, 50) : (50, 100);

    /// <summary>Lets a moment pass before the wait looks again; false when it is time to sleep. Turns of one wait count from 0.</summary>
    public bool Pass(int turn)
    {
        if (turn < _spins)
        {
            // One pause of the core (20 to 60 ns): a longer one would be the delay of the shortest dispatch.
            if (X86Base.IsSupported) X86Base.Pause();
            else Thread.SpinWait(1);
            return true;
        }
        // The last yield was long, and what is waited for still has not come: somebody else had the core. A long yield after which it has
        // come was a peer at work, and this is not reached.
        if (_slow && turn > _spins) Penalize();
        _slow = false;
        if (_skips > 0)
        {
            _skips--;
            return false;
        }
        if (turn == _spins + _yields)
        {
            _nextSkips = Math.Max(FewestSkips, _nextSkips / 2);
            return false;
        }
        long start = Stopwatch.GetTimestamp();
        Thread.Yield();
        _slow = Stopwatch.GetTimestamp() - start > SlowYield;
        return true;
    }

    private void Penalize()
    {
        _skips = _nextSkips;
        _nextSkips = Math.Min(MostSkips, 2 * _nextSkips);
    }
}
