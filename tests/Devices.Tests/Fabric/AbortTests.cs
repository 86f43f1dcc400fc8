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
    private const int Rounds = 8;

    /// <summary>Who sleeps longer than a test may take is only woken by somebody.</summary>
    private static readonly FabricOptions Patient =
        Ranks.Options with { WaitDeadline = TimeSpan.FromHours(1), LongestNap = TimeSpan.FromHours(1) };

    public static TheoryData<FabricKind, int> KindsAndSizes()
    {
        var all = new TheoryData<FabricKind, int>();
        foreach (FabricKind kind in Worlds.Fabrics)
            foreach (int size in (int[])[1, 2, 4, 8]) all.Add(kind, size);
        return all;
    }

    [Theory]
    [MemberData(nameof(KindsAndSizes))]
    public void An_abort_ends_ranks_that_sleep_send_compute_or_ask(FabricKind kind, int size)
    {
        var times = new List<TimeSpan>();
        for (int round = 0; round < Rounds; round++) times.AddRange(AbortOne(kind, size, round));
        times.Sort();
        Console.Error.WriteLine($"{Fabrics.NameOf(kind)}: {size} ranks on {Environment.ProcessorCount} cores ended "
            + $"{Shown(times[times.Count / 2])} (median) and {Shown(times[^1])} (last) after an abort");
    }

    /// <summary>What a rank does when the abort comes: half of them sleep, for the last everybody waits.</summary>
    private static Doing Of(int rank, int size, int round)
    {
        if (rank == size - 1) return Doing.KeepSilent;
        return rank < size / 2 ? Doing.Sleep : (Doing)((rank + round) % 3);
    }

    /// <summary>How long after the abort each rank ended.</summary>
    private static TimeSpan[] AbortOne(FabricKind kind, int size, int round)
    {
        const int large = 8 << 20;
        var world = Worlds.Of(size);
        var plan = new WindowPlan();
        var box = plan.Reserve(large);
        var flags = plan.ReserveFlags(1);
        var never = world.Rank(size - 1);
        var fabrics = new IFabric[size];
        int[] threads = new int[size];
        long[] ended = new long[size];
        long aborted = 0;
        using var ready = new CountdownEvent(size);
        using var over = new CountdownEvent(size);
        using var told = new ManualResetEventSlim();
        var abort = new Thread(() =>
        {
            Assert.True(ready.Wait(Ranks.Limit));
            AwaitSleep(threads[..(size / 2)]);
            Volatile.Write(ref aborted, Stopwatch.GetTimestamp());
            fabrics[round % size].Abort(never, "was given up in a test");
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
                Doing doing = Of(self, size, round);
                if (doing == Doing.KeepSilent) told.Wait(Ranks.Limit);
                byte[] bytes = new byte[doing == Doing.Send ? large : 0];
                while (doing == Doing.Send) fabric.Put(never, box, bytes);
                while (doing is Doing.Compute or Doing.KeepSilent) fabric.SetStatus(At(self)); // until a call throws
                while (doing == Doing.Ask)
                {
                    fabric.StatusOf(never);
                    fabric.Peek(never, flags[0]);
                }
                fabric.Wait(never, flags[0], 1);
            }
            finally
            {
                ended[self] = Stopwatch.GetTimestamp();
                over.Signal();
                over.Wait(Ranks.Limit); // to unmap windows takes the core for longer than an abort may take
            }
        }, Patient);
        Assert.True(abort.Join(Ranks.Limit));
        foreach (var outcome in outcomes)
        {
            var failed = Assert.IsType<FabricException>(outcome);
            Assert.Equal((never, "was given up in a test"), (failed.Culprit, failed.Reason));
        }
        return [.. ended.Select(end => Stopwatch.GetElapsedTime(aborted, end))];
    }

    private enum Doing
    {
        Send,
        Compute,
        Ask,
        Sleep,
        KeepSilent,
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
