using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>What a dispatch refuses, checks, and does not cost.</summary>
public sealed unsafe class AllGatherReduceScatterTests
{
    private static readonly All2AllShape Shape = new(MaxTokens: 4, Hidden: 16, TopK: 2, RowType.Fp32);

    public static TheoryData<string, string> Differences() => new()
    {
        { "step", @"epoch 1, step 9, layer 3, dispatch.*epoch 1, step 10, layer 3, dispatch" },
        { "layer", @"epoch 1, step 9, layer 3, dispatch.*epoch 1, step 9, layer 4, dispatch" },
        { "epoch", @"epoch 1, step 9, layer 3, dispatch.*epoch 2, step 9, layer 3, dispatch" },
        { "capacity", @"capacity 4.*capacity 3" },
        { "hidden", @"hidden 16.*hidden 12" },
        { "top-k", @"top-k 2.*top-k 1" },
        { "rows", @"Fp32 rows.*Bf16 rows" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void Ranks_that_do_different_things_abort_with_both_headers(string what, string bothHeaders)
    {
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var window = AllGatherReduceScatter.Reserve(plan, 3, Shape);
        var outcomes = Ranks.Outcomes(FabricKind.SharedMemory, world, plan, fabric =>
        {
            bool differs = fabric.Self.Value == 1;
            var shape = !differs ? Shape : what switch
            {
                "capacity" => Shape with { MaxTokens = 3 },
                "hidden" => Shape with { Hidden = 12 },
                "top-k" => Shape with { TopK = 1 },
                "rows" => Shape with { Rows = RowType.Bf16 },
                _ => Shape,
            };
            var at = new StepPoint(new Epoch(differs && what == "epoch" ? 2 : 1), new StepId(differs && what == "step" ? 10 : 9),
                new LayerIndex(differs && what == "layer" ? 4 : 3), StepPhase.Route);
            using var all2all = new AllGatherReduceScatter(fabric, world.All, shape, window);
            all2all.Dispatch(at, new float[shape.Hidden], new int[shape.TopK], new float[shape.TopK], 1);
        });
        Assert.All(outcomes, outcome =>
        {
            string message = Assert.IsType<FabricException>(outcome).Message;
            // Whoever noticed first named itself last.
            string swapped = string.Join(".*", bothHeaders.Split(".*").Reverse());
            Assert.Matches($"{bothHeaders}|{swapped}", message);
            Assert.Contains("rank 1 ", message, StringComparison.Ordinal);
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_step_allocates_nothing(FabricKind kind)
    {
        const int warmUp = 30, steps = 200, ranks = 3;
        foreach (var rows in Enum.GetValues<RowType>())
        {
            var shape = Shape with { Rows = rows };
            var world = Worlds.Of(ranks);
            var plan = new WindowPlan();
            var make = Strategies.Reserve(Strategy.AllGatherReduceScatter, plan, ranks, shape);
            Ranks.Run(kind, world, plan, fabric =>
            {
                using var all2all = make(fabric, world.All);
                float[] hidden = new float[4 * 16], weights = new float[4 * 2];
                float[] partial = new float[ranks * 4 * 16], output = new float[4 * 16];
                int[] experts = new int[4 * 2];
                long before = 0;
                for (int step = 1; step <= warmUp + steps; step++)
                {
                    if (step == warmUp) before = GC.GetAllocatedBytesForCurrentThread();
                    var at = new StepPoint(new Epoch(1), new StepId(step), new LayerIndex(0), StepPhase.Route);
                    all2all.Combine(at, all2all.Dispatch(at, hidden, experts, weights, step % 5), partial, output);
                }
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            });
        }
    }

    [Fact]
    public void A_handle_is_single_use_and_each_dispatch_needs_its_combine() => Alone((all2all, at) =>
    {
        float[] rows = new float[16], output = new float[16];
        var handle = all2all.Dispatch(at, rows, new int[2], new float[2], 1);
        Assert.Throws<InvalidOperationException>(() => all2all.Dispatch(at, rows, new int[2], new float[2], 1));
        all2all.Combine(at, handle, rows, output);
        Assert.Throws<InvalidOperationException>(() => all2all.Combine(at, handle, rows, output));
        Assert.Throws<ArgumentException>(() => all2all.Combine(at, new DispatchHandle(), rows, output));
    });

    [Fact]
    public void More_rows_than_capacity_and_spans_that_are_too_short_are_refused() => Alone((all2all, at) =>
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => all2all.Dispatch(at, new float[80], new int[10], new float[10], 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => all2all.Dispatch(at, [], [], [], -1));
        Assert.Throws<ArgumentException>(() => all2all.Dispatch(at, new float[31], new int[4], new float[4], 2));
        Assert.Throws<ArgumentException>(() => all2all.Dispatch(at, new float[32], new int[3], new float[4], 2));
        Assert.Throws<ArgumentException>(() => all2all.Dispatch(at, new float[32], new int[4], new float[3], 2));
        var handle = all2all.Dispatch(at, new float[32], new int[4], new float[4], 2);
        Assert.Throws<ArgumentException>(() => all2all.Combine(at, handle, new float[31], new float[32]));
        Assert.Throws<ArgumentException>(() => all2all.Combine(at, handle, new float[32], new float[31]));
        all2all.Combine(at, handle, new float[32], new float[32]); // still whole
    });

    [Fact]
    public void A_group_of_one_reads_the_callers_rows_where_they_are() => Alone((all2all, at) =>
    {
        using var hidden = Pinned.Of(Enumerable.Range(0, 32).Select(i => i + 0.1f).ToArray());
        using var experts = Pinned.Of([3, -1, 0, 2]);
        using var weights = Pinned.Of([0.5f, 0, 0.25f, 0.75f]);
        var handle = all2all.Dispatch(at, hidden.Span, experts.Span, weights.Span, 2);
        Assert.Equal(2, handle.Rows);
        Assert.True(handle.Hidden.Overlaps(hidden.Span, out int offset) && offset == 0);
        Assert.Equal(experts.Span.ToArray(), handle.Experts.ToArray());
        Assert.Equal(weights.Span.ToArray(), handle.Weights.ToArray());
        float[] sums = [1.5f, -0f, .. new float[30]]; // partial sums and output may be the same memory here
        all2all.Combine(at, handle, sums, sums);
        Assert.Equal([0x3FC0_0000u, 0u], MemoryMarshal.Cast<float, uint>(sums.AsSpan(0, 2)).ToArray());
    });

    private static void Alone(Action<IAll2All, StepPoint> body)
    {
        var world = Worlds.Of(1);
        var plan = new WindowPlan();
        var make = Strategies.Reserve(Strategy.AllGatherReduceScatter, plan, 1, Shape with { Rows = RowType.Bf16 });
        Assert.Equal(0, plan.Bytes);
        Ranks.Run(FabricKind.InProcess, world, plan, fabric =>
        {
            using var all2all = make(fabric, world.All);
            body(all2all, new StepPoint(new Epoch(1), new StepId(1), new LayerIndex(0), StepPhase.Route));
        });
    }
}
