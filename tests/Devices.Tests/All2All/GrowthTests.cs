using System.Diagnostics;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>
/// A long run costs what a short one does: nothing is left of a step. Counts what the whole process holds, so it runs alone.
/// </summary>
[Collection("alone")]
public sealed class GrowthTests
{
    private const int Steps = 100_000, WarmUp = 10_000, RankCount = 2, Tokens = 4;

    [Fact]
    public void A_hundred_thousand_steps_of_all_strategies_in_turn_leave_no_memory_descriptor_or_thread_behind()
    {
        var shape = new All2AllShape(Tokens, Hidden: 64, TopK: 2, RowType.Bf16);
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, RankCount, shape);
        Strategy[] legal = Groups.Legal(FabricKind.SharedMemory, RankCount, hosts: 1);
        using var all = new Barrier(RankCount);
        Footprint before = default, after = default;
        var clock = new Stopwatch();
        Ranks.Run(FabricKind.SharedMemory, Worlds.Of(RankCount), plan, fabric =>
        {
            using var groups = new Groups(fabric, window, shape, ExpertPlacement.Blocks(6, RankCount), Hosts.One(RankCount), legal);
            using var hidden = Pinned.Of(new float[Tokens * shape.Hidden]);
            float[] weights = new float[Tokens * 2], partial = new float[RankCount * Tokens * shape.Hidden];
            float[] output = new float[Tokens * shape.Hidden];
            int[] experts = [0, 2, 1, 4, 5, 3, 0, 5];
            long allocated = 0;
            for (int step = 1; step <= WarmUp + Steps; step++)
            {
                if (step == WarmUp)
                {
                    all.SignalAndWait(Ranks.Limit);
                    if (fabric.Self.Value == 0) before = Footprint.OfThisProcess();
                    all.SignalAndWait(Ranks.Limit);
                    allocated = GC.GetAllocatedBytesForCurrentThread();
                    if (fabric.Self.Value == 0) clock.Start();
                }
                IAll2All one = groups[step % groups.Count];
                StepPoint at = Groups.At(step);
                one.Combine(at, one.Dispatch(at, hidden.Span, experts, weights, step % (Tokens + 1)), partial, output);
            }
            if (fabric.Self.Value == 0) clock.Stop();
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);
            all.SignalAndWait(Ranks.Limit);
            if (fabric.Self.Value == 0) after = Footprint.OfThisProcess();
            all.SignalAndWait(Ranks.Limit);
        });
        Console.Error.WriteLine($"{Steps} steps of {legal.Length} strategies in {clock.Elapsed.TotalSeconds:0.0} s, "
            + $"{clock.Elapsed.TotalMicroseconds / Steps:0.0} µs each: {before} -> {after}");
        const int runtime = 4; // some of the runtime's own come and go
        Assert.InRange(after.Descriptors, 0, before.Descriptors + runtime);
        Assert.InRange(after.Threads, 0, before.Threads + runtime);
        // A byte lost in each step would be 100 KB, a line of cache 6 MB.
        Assert.InRange(after.ResidentKiB, 0, before.ResidentKiB + 4096);
    }

    private readonly record struct Footprint(long ResidentKiB, int Descriptors, int Threads)
    {
        public static Footprint OfThisProcess() => new(Status("VmRSS:"),
            Directory.GetFileSystemEntries("/proc/self/fd").Length, (int)Status("Threads:"));

        public override string ToString() => $"{ResidentKiB} KiB resident, {Descriptors} descriptors, {Threads} threads";

        private static long Status(string name) => long.Parse(File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith(name, StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1]);
    }
}

/// <summary>Tests that no other test runs beside.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;
