using System.Diagnostics;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Fabric;

/// <summary>
/// What a rank's waits do before they sleep: they spin for a moment, then offer the core to others for a millisecond. With more ranks
/// than cores spinning holds up the very rank that is waited for, so that moment is short; with no more, it is as long as a stage often
/// waits for the one before it: to yield meanwhile hands the core to threads that work for the actors, and what comes is seen when they
/// are done (measured, two stages of one thread: hops that a yield made 50 to 300 µs long take 0.2). To yield is cheap among ranks that
/// wait for each other, and cheaper than to sleep, which costs a wake-up and, on a busy machine, a turn of somebody else's. But where
/// somebody computes beside the ranks, a yield costs a whole slice of the scheduler, and a sleeper is woken sooner: so after a turn that
/// took that long and brought nothing the next waits sleep after a short spin, and more of them each time.
/// </summary>
internal sealed class WaitPolicy
{
    /// <summary>
    /// The longest sleep in one piece. Wake-ups are not lost, but a notifier that dies between its store and its wake sends none, and a
    /// process that died is only seen when somebody looks.
    /// </summary>
    public static readonly TimeSpan LongestNap = TimeSpan.FromMilliseconds(20);

    private const int FewestSkips = 64, MostSkips = 1 << 11;

    // A yield that takes longer is a slice of somebody who computes (3 ms and more).
    private static readonly long SlowTurn = Stopwatch.Frequency / 500, LongestYielding = Stopwatch.Frequency / 1000;

    private readonly int _spins;
    private readonly long _longSpin;
    private int _skips, _nextSkips = FewestSkips;
    private long _began, _looked;

    /// <summary>A policy for one rank.</summary>
    /// <param name="ranks">Ranks of the world, all of which may be on this machine.</param>
    /// <param name="crowdedSpins">How often it looks before it yields where there are more ranks than cores: 16 looks at memory take half
    /// a µs (50 of them: a third more in the smallest dispatches of 4 ranks on 2 cores), but a look that is a system call is worth but one
    /// (over sockets: half of the time).</param>
    public WaitPolicy(int ranks, int crowdedSpins = 16)
    {
        bool crowded = ranks > Environment.ProcessorCount;
        _spins = crowded ? crowdedSpins : 1000;
        _longSpin = crowded ? 0 : Stopwatch.Frequency / 2500;
    }

    /// <summary>Lets a moment pass before the wait looks again; false when it is time to sleep. Turns of one wait count from 0.</summary>
    public bool Pass(int turn)
    {
        if (turn < _spins)
        {
            Pause();
            return true;
        }
        if (_skips > 0)
        {
            _skips--;
            return false;
        }
        long now = Stopwatch.GetTimestamp();
        if (turn == _spins)
        {
            _began = now;
        }
        else if (now - _looked > SlowTurn)
        {
            // What is waited for still has not come: a long turn after which it has was a peer at work, and does not get here.
            _skips = _nextSkips;
            _nextSkips = Math.Min(MostSkips, 2 * _nextSkips);
            return false;
        }
        else if (now - _began > _longSpin + LongestYielding)
        {
            _nextSkips = Math.Max(FewestSkips, _nextSkips / 2);
            return false;
        }
        _looked = now;
        if (now - _began < _longSpin) Pause();
        else Thread.Yield();
        return true;
    }

    // One pause of the core (20 to 60 ns): a longer one would be the delay of the shortest dispatch.
    private static void Pause()
    {
        if (X86Base.IsSupported) X86Base.Pause();
        else Thread.SpinWait(1);
    }
}
