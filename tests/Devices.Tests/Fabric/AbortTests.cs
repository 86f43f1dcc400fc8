using System.Diagnostics;
using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>
/// An abort ends whatever every rank is doing, by a message of its own: no sleep in these tests ends by itself. How long it took goes to
/// stderr; nothing depends on it.
/// </summary>
public sealed class AbortTests
{
    private const int Rounds = 8, Size = 8;

    /// <summary>Who sleeps longer than a test may take is only woken by somebody.</summary>
    private static readonly FabricOptions Patient =
        Ranks.Options with { WaitDeadline = TimeSpan.FromHours(1), LongestNap = TimeSpan.FromHours(1) };

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void An_abort_ends_eight_ranks_that_sleep_send_compute_or_ask(FabricKind kind)
    {
        var times = new List<TimeSpan>();
        for (int round = 0; round < Rounds; round++) times.AddRange(AbortOne(kind, aborter: round % Size));
        times.Sort();
        Console.Error.WriteLine($"{Fabrics.NameOf(kind)}: {Size} ranks on {Environment.ProcessorCount} cores ended "
            + $"{Shown(times[times.Count / 2])} (median) and {Shown(times[^1])} (last) after an abort");
    }

    /// <summary>How long after the abort each rank ended.</summary>
    private static TimeSpan[] AbortOne(FabricKind kind, int aborter)
    {
        const int large = 8 << 20, sends = 4, computes = 5, asks = 6, silent = 7; // the others sleep
        var world = Worlds.Of(Size);
        var plan = new WindowPlan();
        var box = plan.Reserve(large);
        var flags = plan.ReserveFlags(1);
        var fabrics = new IFabric[Size];
        int[] threads = new int[Size];
        long[] ended = new long[Size];
        long aborted = 0;
        using var ready = new CountdownEvent(Size);
        using var told = new ManualResetEventSlim();
        var abort = new Thread(() =>
        {
                Assert.True(ready.Wait(Ranks.Limit));
            var never = world.Rank(silent);
            AwaitSleep(threads[..sends]);
            Volatile.Write(ref aborted, Stopwatch.GetTimestamp());
            fabrics[aborter].Abort(never, "was given up in a test");
            told.Set();
        });
        abort.Start();
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            int self = fabric.Self.Value;
            fabrics[self] = fabric;
            threads[self] = ThreadId();
            ready.Signal();
            try
            {
                byte[] bytes = new byte[self == sends ? large : 0];
                if (self == silent) told.Wait(Ranks.Limit);
                while (self == sends) fabric.Put(world.Rank(silent), box, bytes);
                while (self is computes or silent) fabric.SetStatus(At(self)); // until a call throws
                while (self == asks)
                {
                    fabric.StatusOf(world.Rank(silent));
                    fabric.Peek(world.Rank(silent), flags[0]);
                }
                fabric.Wait(world.Rank(silent), flags[0], 1);
            }
            finally
            {
                ended[self] = Stopwatch.GetTimestamp();
            }
        }, Patient);
        Assert.True(abort.Join(Ranks.Limit));
        foreach (var outcome in outcomes)
        {
            var failed = Assert.IsType<FabricException>(outcome);
            Assert.Equal((world.Rank(silent), "was given up in a test"), (failed.Culprit, failed.Reason));
        }
        return [.. ended.Select(end => Stopwatch.GetElapsedTime(aborted, end))];
    }

    /// <summary>Returns once the kernel says that all these threads sleep; each is seen asleep several times over.</summary>
    private static void AwaitSleep(int[] threads)
    {
        var limit = Stopwatch.StartNew();
        for (int seen = 0; seen < 20 && limit.Elapsed < Ranks.Limit;)
        {
            seen = threads.All(thread => File.ReadAllText($"/proc/self/task/{thread}/stat").Split(") ")[^1][0] == 'S') ? seen + 1 : 0;
            Thread.Yield();
        }
    }

    private static StepPoint At(int rank) => new(new Epoch(1), new StepId(1), new LayerIndex(rank), StepPhase.Experts);

    private static string Shown(TimeSpan time) => $"{time.TotalMilliseconds:0.00} ms";

    [DllImport("libc", EntryPoint = "gettid")]
    private static extern int ThreadId();
}
