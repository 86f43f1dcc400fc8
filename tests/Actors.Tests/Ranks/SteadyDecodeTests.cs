using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.RankSteps;

/// <summary>The step's path of whole ranks, run as threads without actors.</summary>
public sealed class SteadyDecodeTests
{
    private const int WarmUp = 60, Measured = 60;

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(2, 2, false)]
    [InlineData(1, 1, true)]
    [InlineData(2, 2, true)]
    [InlineData(2, 2, true, "low_latency")]
    [InlineData(2, 2, true, "low_latency", 3)]
    [InlineData(1, 2, false, "allgather_reducescatter", 0, OverlapMode.On)]
    [InlineData(1, 1, false, "low_latency", 0, OverlapMode.Off, 2)]
    [InlineData(2, 1, true, "low_latency", 0, OverlapMode.Off, 2, 4)]
    [InlineData(1, 1, true, "high_throughput", 3, OverlapMode.Off, 4)]
    [InlineData(1, 1, false, "allgather_reducescatter", 0, OverlapMode.Off, 1, 4)]
    [InlineData(2, 2, true, "low_latency", 0, OverlapMode.Off, 1, 4)]
    [InlineData(2, 2, true, "low_latency", 0, OverlapMode.Off, 1, 4, TraceOf.Experts)]
    public void Steady_decode_allocates_nothing_on_the_executor_thread(int stages, int replicas, bool leased,
        string strategy = "allgather_reducescatter", int shadowEvery = 0, OverlapMode overlap = OverlapMode.Off,
        int tensor = 1, int traceSteps = 0, TraceOf traceOf = TraceOf.All)
    {
        TroupeOptions plain = TroupeOptions.Default;
        TroupeOptions options = plain with
        {
            Layout = new Layout(stages, replicas, tensor),
            Routing = plain.Routing with { ShadowEvery = shadowEvery, Overlap = overlap },
            Trace = new TraceOptions(traceSteps, traceOf),
        };
        ClusterPlan plan = ClusterPlan.Make(options, ModelSource.FromFolder(Repository.At("models", "sample")));
        EpochSizes sizes = plan.Sizes(1L << 30);
        var hub = new InProcessHub();
        string[] descriptors = new string[options.Layout.Ranks];
        long[] allocated = new long[options.Layout.Ranks];
        Exception?[] errors = new Exception?[options.Layout.Ranks];
        using var opened = new Barrier(options.Layout.Ranks);
        Thread[] threads = [.. Enumerable.Range(0, options.Layout.Ranks).Select(rank => new Thread(() =>
        {
            try
            {
                allocated[rank] = RunRank(plan, hub, sizes, rank, descriptors, opened, leased ? strategy : null);
            }
            catch (Exception e)
            {
                errors[rank] = e;
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) Assert.True(thread.Join(TimeSpan.FromMinutes(2)));
        Assert.All(errors, Assert.Null);
        Assert.All(allocated, bytes => Assert.Equal(0, bytes));
    }

    private static long RunRank(ClusterPlan plan, InProcessHub hub, EpochSizes sizes, int rank, string[] descriptors, Barrier opened,
        string? leased)
    {
        var epoch = new Epoch(1);
        RankSetup setup = plan.Rank(hub, TimeProvider.System);
        var runtime = new RankRuntime(setup, new Assign(epoch, rank, "steady", Fabrics.NewSecret(), "inprocess", "auto", sizes, []), _ =>
            { });
        descriptors[rank] = runtime.Descriptor;
        opened.SignalAndWait();
        runtime.Connect(descriptors);
        using var executor = new RankExecutor($"rank {rank}", () => new StepOutcome(sizes.MaxRunning), () => { });
        using var runner = new StepRunner(runtime, executor);
        SelfCheck.Run(runtime, runner);
        opened.SignalAndWait(); // a cluster starts once all ranks have passed

        int replica = runtime.Place.Replica;
        StageStep[] steps = [.. Enumerable.Range(0, leased is not null ? 2 : WarmUp + Measured + 1)
            .Select(i => Step(epoch, i, replica, setup.Layout.Replicas, leased, sizes.Halves))];
        var outcome = new StepOutcome(sizes.MaxRunning);
        for (int i = 0; i <= WarmUp; i++) Run(runner, steps, i, outcome);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = WarmUp + 1; i < WarmUp + Measured; i++) Run(runner, steps, i, outcome);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Run(runner, steps, WarmUp + Measured, outcome);
        Assert.Equal(2, outcome.Rows);
        Assert.Equal((leased is not null, leased is not null, false), (outcome.IsLeased, outcome.Ended is not null, runner.IsLeased));
        opened.SignalAndWait(); // nobody frees a window that a peer still writes to
        return bytes;
    }

    private static void Run(StepRunner runner, StageStep[] steps, int index, StepOutcome outcome)
    {
        if (index >= steps.Length)
        {
            runner.RunLeased(outcome);
            return;
        }
        outcome.Reset(steps[index].Plan);
        runner.Run(steps[index], outcome);
    }

    /// <summary>Two sequences join in the first step with their prompts, and decode from then on, one of them sampled.</summary>
    private static StageStep Step(Epoch epoch, int index, int replica, int replicas, string? leased, bool halves)
    {
        StepId step = new(PipelineSchedule.FirstStep.Value + index);
        int[] blocks = [.. Enumerable.Range(0, 16)];
        SlotJoin[] joins = index > 0 ? [] :
        [
            new SlotJoin(0, [570, 47, 39], new SamplingSpec(0, 0, 1, 0, 1, 0), SequenceMode.Generate, blocks, 4096, true),
            new SlotJoin(1, [497, 14], new SamplingSpec(0.8f, 40, 0.95f, 0, 1, 7), SequenceMode.Generate, [.. blocks.Select(b => b + 16)],
                4096, true),
        ];
        SlotWork[] work = index > 0 ? [new SlotWork(0, 1), new SlotWork(1, 1)] : [new SlotWork(0, 3), new SlotWork(1, 2)];
        int rows = work.Sum(w => w.Rows);
        var plan = new StepPlan(epoch, step, 0, index > 0 ? new StepId(step.Value - 1) : default, leased ?? "allgather_reducescatter",
            [.. Enumerable.Repeat(new ReplicaShare(rows, index + 1), replicas)],
            leased is not null && index > 0 ? new LeaseGrant(step.Next, [0], leased, 2, WarmUp + Measured - 1) : null,
            InHalves: halves);
        return new StageStep(plan, new BatchDelta(epoch, replica, index + 1, 0, joins, [], work));
    }
}
