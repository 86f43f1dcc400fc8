using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>When a loop ends: after so many iterations, or the first after this time; a few are always done.</summary>
internal sealed record LoopLimits(int Iterations, TimeSpan Budget)
{
    /// <summary>Fewer would make no median.</summary>
    public const int Fewest = 5;
}

/// <summary>
/// Times one strategy on one rank. First loop, per iteration: barrier, dispatch (timed, until all rows are readable), identity expert (not
/// timed), barrier, combine (timed). Second loop: barrier, then dispatch, identity expert and combine timed as one, so that no work can
/// hide between phases. The first and the last iteration are checked.
/// <para>The router's turn is the second loop with another strategy each time: the first rank asks the router before each barrier, whose
/// flag tells the others, and the router learns how long the slowest rank took.</para>
/// </summary>
internal sealed unsafe class All2AllLoop(All2AllInput input, StepBarrier barrier, IdentityExpert expert, TimeProvider clock, int self)
{
    private readonly double _nsPerTick = 1e9 / clock.TimestampFrequency;
    private long _step;

    private StepPoint At => new(new Epoch(1), new StepId(_step), new LayerIndex(0), StepPhase.Route);

    /// <summary>Runs both loops. <paramref name="corruption"/> makes the first iteration wrong.</summary>
    /// <exception cref="CheckFailedException">What arrived is not what was sent.</exception>
    public All2AllSamples Measure(IAll2All strategy, All2AllCheck check, LoopLimits limits, Corruption corruption)
    {
        Check(strategy, check, corruption);
        int[] dispatch = new int[limits.Iterations], combine = new int[limits.Iterations], total = new int[limits.Iterations];
        int phases = Phases(strategy, check, limits, dispatch, combine);
        (long bytes, long allocated) = (strategy.BytesToOthers, GC.GetAllocatedBytesForCurrentThread());
        int whole = Whole(strategy, limits, total);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        bytes = strategy.BytesToOthers - bytes;
        check.Output();
        return new All2AllSamples(0, 0, default, dispatch[..phases], combine[..phases], total[..whole], (double)bytes / whole,
            (double)allocated / whole);
    }

    private void Check(IAll2All strategy, All2AllCheck check, Corruption corruption)
    {
        input.ClearOutput();
        DispatchHandle handle = Dispatch(strategy);
        if (corruption == Corruption.Row) handle.Row(handle.Rows - 1)[0] ^= 0x10;
        check.Rows(handle);
        expert.Run(handle, tell: false);
        if (corruption == Corruption.Sum) handle.Partial(handle.Rows - 1)[1] ^= 0x41;
        Combine(strategy, handle);
        check.Output();
    }

    private int Phases(IAll2All strategy, All2AllCheck check, LoopLimits limits, int[] dispatch, int[] combine)
    {
        long start = clock.GetTimestamp();
        for (int i = 0; ; i++)
        {
            bool last = barrier.Meet(new BarrierWord(IsLast(i, start, limits))).Last;
            long before = clock.GetTimestamp();
            DispatchHandle handle = Dispatch(strategy);
            dispatch[i] = Nanoseconds(before);
            if (last)
            {
                check.Rows(handle);
                input.ClearOutput();
            }
            expert.Run(handle, tell: false);
            barrier.Meet();
            before = clock.GetTimestamp();
            Combine(strategy, handle);
            combine[i] = Nanoseconds(before);
            if (!last) continue;
            check.Output();
            return i + 1;
        }
    }

    private int Whole(IAll2All strategy, LoopLimits limits, int[] total)
    {
        long start = clock.GetTimestamp();
        for (int i = 0; ; i++)
        {
            input.Rewrite();
            bool last = barrier.Meet(new BarrierWord(IsLast(i, start, limits))).Last;
            total[i] = Step(strategy);
            if (last) return i + 1;
        }
    }

    /// <summary>Runs the router's turn; <paramref name="router"/> is that of the first rank, null on the others.</summary>
    /// <returns>How long each step took on its slowest rank, in ns.</returns>
    public int[] Routed(IAll2All[] strategies, All2AllRouter? router, All2AllCheck check, LoopLimits limits)
    {
        long start = clock.GetTimestamp();
        int[] total = new int[limits.Iterations];
        input.ClearOutput();
        for (int i = 0, took = 0; ; i++)
        {
            input.Rewrite();
            BarrierWord word = barrier.Meet(new BarrierWord(IsLast(i, start, limits), router?.Choose() ?? 0, took));
            if (i > 0) Learn(i - 1, word.Nanoseconds);
            took = Step(strategies[word.Choice]);
            if (!word.Last) continue;
            Learn(i, barrier.Meet(new BarrierWord(Nanoseconds: took)).Nanoseconds);
            check.Output();
            return total[..(i + 1)];
        }

        void Learn(int step, int slowest)
        {
            total[step] = slowest;
            router?.Observe(slowest / 1e3);
        }
    }

    private int Step(IAll2All strategy)
    {
        long before = clock.GetTimestamp();
        _step++;
        strategy.PostDispatch(At, input.Rows, input.Experts, input.Weights, input.OwnTokens);
        DispatchHandle handle = strategy.WaitDispatch();
        expert.Run(handle, tell: true);
        Combine(strategy, handle);
        return Nanoseconds(before);
    }

    private DispatchHandle Dispatch(IAll2All strategy)
    {
        _step++;
        strategy.PostDispatch(At, input.Rows, input.Experts, input.Weights, input.OwnTokens);
        DispatchHandle handle = strategy.WaitDispatch();
        for (int row = 0; row < handle.Rows;) row = handle.Await(row);
        return handle;
    }

    private void Combine(IAll2All strategy, DispatchHandle handle)
    {
        strategy.PostCombine(At, handle);
        if (input.IsBf16) strategy.WaitCombine(input.Halves);
        else strategy.WaitCombine(input.Floats);
    }

    /// <summary>Rank 0 decides, and the barrier tells the others.</summary>
    private bool IsLast(int i, long start, LoopLimits limits) => self == 0
        && (i + 1 >= limits.Iterations || (i + 1 >= LoopLimits.Fewest && clock.GetElapsedTime(start) > limits.Budget));

    private int Nanoseconds(long before) => (int)Math.Min(int.MaxValue, (clock.GetTimestamp() - before) * _nsPerTick);
}
