using System.Diagnostics;

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

    private const int SpinsPerTurn = 8, FewestSkips = 64, MostSkips = 1 << 14;

    // 50 µs: no rank that only looks and yields again takes that long
    private static readonly long SlowYield = Stopwatch.Frequency / 20_000;

    private readonly int _spins, _yields;
    private int _skips, _nextSkips = FewestSkips;

    public WaitPolicy(int ranks) => (_spins, _yields) = ranks <= Environment.ProcessorCount ? (50, 50) : (2, 10);

    /// <summary>Lets a moment pass before the wait looks again; false when it is time to sleep. Turns of one wait count from 0.</summary>
    public bool Pass(int turn)
    {
        if (turn < _spins)
        {
            Thread.SpinWait(SpinsPerTurn);
            return true;
        }
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
        if (Stopwatch.GetTimestamp() - start > SlowYield)
        {
            _skips = _nextSkips;
            _nextSkips = Math.Min(MostSkips, 2 * _nextSkips);
        }
        return true;
    }
}
