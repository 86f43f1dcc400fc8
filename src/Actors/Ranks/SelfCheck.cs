using System.Diagnostics;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Ranks;

/// <summary>
/// The self-check passed on this rank; and what it measured of its links before, with the milliseconds from the call to the end of all its
/// meetings.
/// </summary>
public sealed record SelfChecked(double Milliseconds, LinkCalibration? Links = null, double LinksMs = 0);

/// <summary>
/// What every rank does before its cluster calls itself ready, all at once: a step with the largest batch, through every stage, dispatch,
/// combine and the ring, then one of a single token. What works for these works for every later step; and what would deadlock or not fit
/// does so here.
/// </summary>
public static class SelfCheck
{
    /// <summary>Runs both steps on this rank; they are the steps before <see cref="PipelineSchedule.FirstStep"/>.</summary>
    public static SelfChecked Run(RankRuntime rank, IStepRunner runner)
    {
        long started = Stopwatch.GetTimestamp();
        EpochSizes sizes = rank.Sizes;
        int rows = Math.Min(sizes.MaxRows, Math.Min(sizes.Context, sizes.Blocks * sizes.BlockSize) - 1);
        int blocks = (rows + sizes.BlockSize) / sizes.BlockSize;
        var join = new SlotJoin(0, new int[rows], new SamplingSpec(0, 0, 1, 0, 1, 0), SequenceMode.Generate,
            [.. Enumerable.Range(0, blocks)], 2, IgnoreEos: true);
        var outcome = new StepOutcome(sizes.MaxRunning);
        Step(1, 0, [join], rows);
        Step(2, 1, [], 1);
        rank.Shard.Load.Reset();
        runner.Forget();
        return new SelfChecked(Stopwatch.GetElapsedTime(started).TotalMilliseconds);

        void Step(long step, long after, SlotJoin[] joins, int count)
        {
            ReplicaShare[] shares = [.. Enumerable.Repeat(new ReplicaShare(count, step), rank.Setup.Layout.Replicas)];
            var plan = new StepPlan(rank.Epoch, new StepId(step), 0, new StepId(after), "", shares, InHalves: rank.Sizes.Halves);
            outcome.Reset(plan);
            runner.Run(new StageStep(plan, new BatchDelta(rank.Epoch, rank.Place.Replica, step, 0, joins, [], [new SlotWork(0, count)])),
                outcome);
        }
    }
}
