using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>What every strategy refuses, checks, and does not cost.</summary>
public sealed class StrategyUseTests
{
    private static readonly All2AllShape Shape = new(MaxTokens: 4, Hidden: 16, TopK: 2, RowType.Fp32);

    public static TheoryData<Strategy, FabricKind> Everywhere()
    {
        var data = new TheoryData<Strategy, FabricKind>();
        foreach (var kind in Worlds.Fabrics)
            foreach (var strategy in Groups.Legal(kind, 3, 1)) data.Add(strategy, kind);
        return data;
    }

    public static TheoryData<Strategy, string, string, string> Differences()
    {
        var data = new TheoryData<Strategy, string, string, string>();
        foreach (var strategy in Groups.Legal(FabricKind.SharedMemory, 3, 1))
        {
            data.Add(strategy, "a step behind", "step 9, layer 3, dispatch", "step 8, layer 3, dispatch");
            data.Add(strategy, "a step ahead", "step 9, layer 3, dispatch", "step 10, layer 3, dispatch");
            data.Add(strategy, "layer", "step 9, layer 3, dispatch", "step 9, layer 4, dispatch");
            data.Add(strategy, "epoch", "epoch 1", "epoch 2");
            data.Add(strategy, "hidden", "hidden 16", "hidden 15");
            data.Add(strategy, "top-k", "top-k 2", "top-k 1");
        }
        data.Add(Strategy.LowLatency, "strategy", "low_latency", "allgather_reducescatter");
        data.Add(Strategy.PeerMapped, "strategy", "peer_mapped", "allgather_reducescatter");
        return data;
    }

    [Theory]
    [MemberData(nameof(Differences))]
    public void Ranks_that_do_different_things_abort_with_both_values(Strategy strategy, string what, string ours, string theirs)
    {
        var plan = new WindowPlan();
        All2AllWindow window = All2AllWindow.Reserve(plan, 3, Shape)!;
        All2AllWindow other = All2AllWindow.Reserve(new WindowPlan(), 3, what == "hidden" ? Shape with { Hidden = 15 }
            : what == "top-k" ? Shape with { TopK = 1 } : Shape)!;
        FabricOptions options = Ranks.Options with { WaitDeadline = TimeSpan.FromSeconds(2) };
        var outcomes = Ranks.Outcomes(FabricKind.SharedMemory, Worlds.Of(3), plan, fabric =>
        {
            bool differs = fabric.Self.Value == 1;
            All2AllWindow mine = differs ? other : window;
            Strategy used = differs && what == "strategy" ? Strategies.Fallback : strategy;
            using var all2all = Strategies.Make(used, fabric, fabric.World.All, mine, mine.Shape, new Epoch(differs && what == "epoch"
                ? 2 : 1),
                ExpertPlacement.Blocks(6, 3), Hosts.One(3));
            int step = !differs ? 9 : what == "a step behind" ? 8 : what == "a step ahead" ? 10 : 9;
            var at = new StepPoint(new Epoch(differs && what == "epoch" ? 2 : 1), new StepId(step),
                new LayerIndex(differs && what == "layer" ? 4 : 3), StepPhase.Route);
            using var hidden = Pinned.Of(new float[mine.Shape.Hidden]);
            int[] experts = [.. Enumerable.Range(0, mine.Shape.TopK)];
            all2all.PostCombine(at, Groups.Identity(all2all.Dispatch(at, hidden.Span, experts, new float[mine.Shape.TopK], 1), 1));
            all2all.WaitCombine(new float[mine.Shape.Hidden]);
        }, options);
        string[] messages = [.. outcomes.Select(o => Assert.IsType<FabricException>(o).Message)];
        Assert.Contains(messages, m => m.Contains(ours, StringComparison.Ordinal) && m.Contains(theirs, StringComparison.Ordinal));
        Assert.All(messages, m => Assert.Contains("rank 1 ", m, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public void A_step_allocates_nothing(Strategy strategy, FabricKind kind)
    {
        const int warmUp = 30, steps = 200, ranks = 3;
        foreach (var rows in Enum.GetValues<RowType>())
        {
            var shape = Shape with { Rows = rows };
            var plan = new WindowPlan();
            All2AllWindow? window = All2AllWindow.Reserve(plan, ranks, shape);
            Ranks.Run(kind, Worlds.Of(ranks), plan, fabric =>
            {
                using var all = new Groups(fabric, window, shape, ExpertPlacement.Blocks(6, ranks), Hosts.One(ranks), [strategy]);
                using var hidden = Pinned.Of(new float[4 * 16]);
                float[] weights = new float[4 * 2], partial = new float[ranks * 4 * 16], output = new float[4 * 16];
                int[] experts = [0, 2, 1, 4, 5, 3, 0, 5];
                long before = 0;
                for (int step = 1; step <= warmUp + steps; step++)
                {
                    if (step == warmUp) before = GC.GetAllocatedBytesForCurrentThread();
                    StepPoint at = Groups.At(step);
                    all[0].Combine(at, all[0].Dispatch(at, hidden.Span, experts, weights, step % 5), partial, output);
                }
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            });
        }
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public void A_handle_is_single_use_and_wrong_sizes_are_refused(Strategy strategy, FabricKind kind)
    {
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, 3, Shape);
        Ranks.Run(kind, Worlds.Of(3), plan, fabric =>
        {
            using var all = new Groups(fabric, window, Shape, ExpertPlacement.Blocks(6, 3), Hosts.One(3), [strategy]);
            IAll2All one = all[0];
            StepPoint at = Groups.At(1);
            using var rows = Pinned.Of(new float[80]);
            Assert.Throws<ArgumentOutOfRangeException>(() => one.Dispatch(at, rows.Span, new int[10], new float[10], 5));
            Assert.Throws<ArgumentOutOfRangeException>(() => one.Dispatch(at, rows.Span, new int[10], new float[10], -1));
            Assert.Throws<ArgumentException>(() => one.Dispatch(at, rows.Span[..31], new int[4], new float[4], 2));
            Assert.Throws<ArgumentException>(() => one.Dispatch(at, rows.Span, new int[3], new float[4], 2));
            Assert.Throws<ArgumentException>(() => one.Dispatch(at, rows.Span, new int[4], new float[3], 2));
            DispatchHandle handle = one.Dispatch(at, rows.Span, new int[4], new float[4], 2);
            Assert.Throws<InvalidOperationException>(() => one.Dispatch(at, rows.Span, new int[4], new float[4], 2));
            Groups.Identity(handle, 1);
            one.PostCombine(at, handle);
            Assert.Throws<ArgumentException>(() => one.WaitCombine(new float[31]));
            one.WaitCombine(new float[32]);
            Assert.Throws<InvalidOperationException>(() => one.PostCombine(at, handle));
        });
    }

    [Fact]
    public void An_expert_that_the_model_lacks_is_refused() => Alone(RowType.Fp32, (fabric, window) =>
    {
        using var all = new Groups(fabric, window, Shape, ExpertPlacement.Blocks(6, 2), Hosts.One(2), [Strategy.LowLatency]);
        using var rows = Pinned.Of(new float[16]);
        string message = Assert.Throws<ArgumentOutOfRangeException>(() =>
            all[0].PostDispatch(Groups.At(1), rows.Span, [0, 6], new float[2], 1)).Message;
        Assert.Contains("[0, 6), got 6", message, StringComparison.Ordinal);
    });

    [Fact]
    public void Verdicts_are_the_same_on_all_ranks()
    {
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, 3, Shape);
        Ranks.Run(FabricKind.InProcess, Worlds.Of(3), plan, fabric =>
        {
            Strategy[] legal = Groups.Legal(FabricKind.InProcess, 3, 1);
            using var all = new Groups(fabric, window, Shape, ExpertPlacement.Blocks(6, 3), Hosts.One(3), legal);
            using var rows = Pinned.Of(new float[16]);
            for (int i = 0; i < 4 * legal.Length; i++)
            {
                (bool leave, bool rowsThere) = (i / legal.Length % 2 == 1, i / legal.Length >= 2);
                int tokens = rowsThere && fabric.Self.Value == 2 ? 1 : 0;
                IAll2All one = all[i % legal.Length];
                DispatchHandle handle = one.Dispatch(Groups.At(i + 1), rows.Span, new int[2], new float[2], tokens,
                    leave && fabric.Self.Value == 1);
                Assert.Equal(new StepVerdict(leave, !rowsThere), handle.Verdict);
                one.PostCombine(Groups.At(i + 1), Groups.Identity(handle, 1));
                one.WaitCombine(new float[16]);
            }
        });
    }

    private static void Alone(RowType rows, Action<IFabric, All2AllWindow?> body)
    {
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, 2, Shape with { Rows = rows });
        Ranks.Run(FabricKind.InProcess, Worlds.Of(2), plan, fabric => body(fabric, window));
    }
}
