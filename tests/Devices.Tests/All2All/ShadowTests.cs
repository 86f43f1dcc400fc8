using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>Exchanges that the fallback repeats: what differs is found and named, and the output is right all the same.</summary>
public sealed class ShadowTests
{
    private const int Steps = 4, WrongStep = 2; // steps count from 0 here; their ids from 1

    public static TheoryData<FabricKind, RowType> Everywhere()
    {
        var data = new TheoryData<FabricKind, RowType>();
        foreach (var kind in Worlds.Fabrics)
            foreach (var rows in (RowType[])[RowType.Fp32, RowType.Fp8]) data.Add(kind, rows);
        return data;
    }

    public static TheoryData<Strategy, RowType> ThatPut()
    {
        var data = new TheoryData<Strategy, RowType>();
        foreach (var strategy in Groups.Legal(FabricKind.Tcp, 4, 2).Where(s => s != Strategies.Fallback))
            foreach (var rows in Enum.GetValues<RowType>()) data.Add(strategy, rows);
        return data;
    }

    public static TheoryData<Strategy> ThatMap() => [.. Strategies.Available.Where(s => s is Strategy.PeerMapped or Strategy.Workspace)];

    [Theory]
    [MemberData(nameof(Everywhere))]
    public void A_sound_strategy_gives_the_oracles_bits_and_no_mismatch(FabricKind kind, RowType rows)
    {
        string[] names = ["ragged", "one token", "masked slots", "all ranks empty, now and then"];
        foreach (Case example in Case.All.Where(c => names.Contains(c.Name)))
        {
            var setup = new Setup(kind, 3, 2, rows, example);
            Outcome outcome = setup.Run((fabric, strategy) => strategy);
            Assert.Empty(outcome.Mismatches);
            setup.AssertOracle(outcome);
        }
    }

    [Theory]
    [MemberData(nameof(ThatPut))]
    public void Bits_that_flip_on_the_way_to_an_expert_are_named_with_step_layer_and_row(Strategy strategy, RowType rows)
    {
        const int wrong = 1;
        var setup = new Setup(FabricKind.InProcess, 4, 2, rows, s_full) { Only = strategy };
        var rule = new FaultRule(new FaultPoint(FaultOperation.Put) { Step = new StepId(WrongStep + 1), Phase = StepPhase.Dispatch },
            new Fault.Corrupt());

        Outcome outcome = setup.Run((fabric, made) => made, inner => new FaultyFabric(inner,
            inner.Self.Value == wrong ? new FaultPlan(rule) : new FaultPlan { HidesWindows = true }, Ranks.Options));

        (int rank, RowMismatch found) = Assert.Single(outcome.Mismatches);
        Assert.Equal(wrong, rank);
        Assert.Equal(Strategies.NameOf(strategy), found.Strategy);
        Assert.Equal((WrongStep + 1, Setup.Layer), (found.At.Step.Value, found.At.Layer.Value));
        Assert.InRange(found.Row, 0, setup.Inputs[WrongStep][wrong].Tokens - 1);
        float[] right = setup.Expected[WrongStep][wrong];
        Assert.Equal(right[(found.Row * s_full.Hidden) + found.Value], found.Wanted);
        Assert.NotEqual(found.Got, found.Wanted);
        setup.AssertOracle(outcome);
    }

    [Theory]
    [MemberData(nameof(ThatMap))]
    public void Bits_that_flip_in_a_mapped_window_are_named_by_the_rank_whose_row_it_is(Strategy strategy)
    {
        var setup = new Setup(FabricKind.SharedMemory, 2, 1, RowType.Bf16, s_full) { Only = strategy };
        int hit = -1;

        Outcome outcome = setup.Run((fabric, made) => fabric.Self.Value == 1 ? new FlipsABit(made, WrongStep + 1, row => hit = row) : made);

        (int rank, RowMismatch found) = Assert.Single(outcome.Mismatches);
        Assert.Equal((0, WrongStep + 1, hit), (rank, found.At.Step.Value, found.Row));
        setup.AssertOracle(outcome);
    }

    [Fact]
    public void A_shadowed_exchange_allocates_nothing()
    {
        var setup = new Setup(FabricKind.InProcess, 2, 1, RowType.Fp32, s_full);
        var plan = new WindowPlan();
        All2AllWindow? window = setup.Reserve(plan), second = setup.Reserve(plan);
        Ranks.Run(FabricKind.InProcess, Worlds.Of(2), plan, fabric =>
        {
            using var all = setup.Make(fabric, window, [Strategy.LowLatency, Strategy.Workspace]);
            using var fallback = setup.Make(fabric, second, [Strategies.Fallback]);
            using var shadowed = new ShadowedAll2All(fallback[0], setup.Shape, 2);
            Input mine = setup.Inputs[0][fabric.Self.Value];
            using var hidden = Pinned.Of(mine.Hidden);
            float[] partial = new float[4 * Case.MaxTokens * s_full.Hidden], output = new float[mine.Tokens * s_full.Hidden];
            long before = 0;
            for (int step = 1; step <= 300; step++)
            {
                if (step == 100) before = GC.GetAllocatedBytesForCurrentThread();
                StepPoint at = Groups.At(step);
                IAll2All way = shadowed.Over(all[step % 2]);
                DispatchHandle handle = way.Dispatch(at, hidden.Span, mine.Experts, mine.Weights, mine.Tokens);
                way.Combine(at, handle, partial, output);
            }
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal(0, bytes);
            Assert.Null(shadowed.Mismatch);
        });
    }

    /// <summary>Every rank has rows enough for every other, and no value is so small that it does not count.</summary>
    private static readonly Case s_full = new("full", (_, _) => 6, 16, 4, 128);

    private sealed record Outcome(float[][][] Outputs, IReadOnlyList<(int Rank, RowMismatch Found)> Mismatches);

    /// <summary>A group whose strategies take turns, each step shadowed.</summary>
    private sealed class Setup
    {
        public const int Layer = 3;
        private readonly FabricKind _kind;
        private readonly int _ranks;
        private readonly Hosts _hosts;
        private readonly ExpertPlacement _placement;
        private readonly Case _example;

        public Setup(FabricKind kind, int ranks, int hosts, RowType rows, Case example)
        {
            (_kind, _ranks, _example, Shape) = (kind, ranks, example, example.Shape(rows));
            _hosts = new Hosts([.. Enumerable.Range(0, ranks).Select(r => $"host{r * hosts / ranks}")]);
            _placement = example.Placement(ranks);
            Random random = Seed.For($"{nameof(ShadowTests)} {example.Name}");
            Inputs = [.. Enumerable.Range(0, Steps).Select(step => Enumerable.Range(0, ranks).Select(rank =>
            {
                Input input = example.Make(random, rank, step);
                return example != s_full ? input : input with { Hidden = [.. input.Hidden.Select(_ => 0.5f + random.NextSingle())] };
            }).ToArray())];
            Expected = [.. Inputs.Select(step => Oracle.Outputs(step, _placement, _hosts, Shape))];
        }

        public All2AllShape Shape { get; }

        public Input[][] Inputs { get; }

        public float[][][] Expected { get; }

        /// <summary>The one strategy of all steps; null for all that are legal in turn.</summary>
        public Strategy? Only { get; init; }

        public All2AllWindow? Reserve(WindowPlan plan) => All2AllWindow.Reserve(plan, _ranks, Shape, _hosts);

        public Groups Make(IFabric fabric, All2AllWindow? window, Strategy[] strategies) =>
            new(fabric, window, Shape, _placement, _hosts, strategies);

        public Outcome Run(Func<IFabric, IAll2All, IAll2All> between, Func<IFabric, IFabric>? over = null)
        {
            float[][][] outputs = [.. Inputs.Select(_ => new float[_ranks][])];
            var mismatches = new List<(int, RowMismatch)>();
            var plan = new WindowPlan();
            All2AllWindow? window = Reserve(plan), second = Reserve(plan);
            Strategy[] strategies = Only is { } one ? [one] : Groups.Legal(_kind, _ranks, _hosts.Count);
            Ranks.Run(_kind, Worlds.Of(_ranks), plan, inner =>
            {
                IFabric fabric = over?.Invoke(inner) ?? inner;
                int rank = fabric.Self.Value;
                using var all = Make(fabric, window, strategies);
                using var fallback = Make(fabric, second, [Strategies.Fallback]);
                using var shadowed = new ShadowedAll2All(fallback[0], Shape, _ranks);
                IAll2All[] ways = [.. Enumerable.Range(0, all.Count).Select(i => between(fabric, all[i]))];
                for (int step = 0; step < Steps; step++)
                {
                    outputs[step][rank] = Step(fabric, shadowed.Over(ways[step % ways.Length]), step, Inputs[step][rank], rank);
                    if (shadowed.Mismatch is { } found) lock (mismatches) mismatches.Add((rank, found));
                }
            });
            return new Outcome(outputs, mismatches);
        }

        public void AssertOracle(Outcome outcome)
        {
            for (int step = 0; step < Steps; step++)
                for (int rank = 0; rank < _ranks; rank++)
                    Assert.True(Bits(Expected[step][rank]).SequenceEqual(Bits(outcome.Outputs[step][rank])),
                        $"step {step}, rank {rank} of '{_example.Name}' is not the oracle's");

            static ReadOnlySpan<uint> Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values);
        }

        private float[] Step(IFabric fabric, ShadowedAll2All way, int step, Input mine, int rank)
        {
            StepPoint at = Groups.At(step + 1, Layer);
            fabric.SetStatus(at with { Phase = StepPhase.Dispatch });
            using var hidden = Pinned.Of(mine.Hidden);
            DispatchHandle handle = way.Dispatch(at, hidden.Span, mine.Experts, mine.Weights, mine.Tokens);
            fabric.SetStatus(at with { Phase = StepPhase.Experts });
            Oracle.Serve(handle, _example, _placement, rank);
            float[] output = [.. Enumerable.Repeat(float.NaN, mine.Tokens * _example.Hidden)];
            way.PostCombine(at, handle);
            way.WaitCombine(output);
            return output;
        }
    }

    /// <summary>A strategy that is sound but for one bit of the last row that arrives in one step.</summary>
    private sealed class FlipsABit(IAll2All inner, long step, Action<int> hit) : IAll2All
    {
        private StepPoint _at;

        public string Name => inner.Name;

        public long BytesToOthers => inner.BytesToOthers;

        public void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
            bool leave = false)
        {
            _at = at;
            inner.PostDispatch(at, hidden, experts, weights, tokens, leave);
        }

        public unsafe DispatchHandle WaitDispatch()
        {
            DispatchHandle handle = inner.WaitDispatch();
            if (_at.Step.Value != step) return handle;
            int last = handle.Rows - 1;
            handle.Await(last);
            handle.Row(last)[2] ^= 0x40;
            handle.Slots(last, out int* experts, out _);
            hit(experts[2 * s_full.TopK]); // the token stands behind ids and weights
            return handle;
        }

        public void PostCombine(StepPoint at, DispatchHandle handle) => inner.PostCombine(at, handle);

        public void WaitCombine(Span<float> output) => inner.WaitCombine(output);

        public void WaitCombine(Span<ushort> output) => inner.WaitCombine(output);

        public void Dispose()
        {
            // The test owns what is inside.
        }
    }
}
