using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>Whatever goes wrong on the fabric below: a strategy ends with right values or with an error that names a rank.</summary>
public sealed class StrategyFaultTests
{
    private const int Draws = 12, Size = 4, Steps = 4;
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(200) };
    private static readonly Case s_case = Case.All.Single(c => c.Name == "masked slots");

    public static TheoryData<Strategy, FabricKind> Everywhere()
    {
        var data = new TheoryData<Strategy, FabricKind>();
        foreach (var kind in (FabricKind[])[FabricKind.SharedMemory, FabricKind.Tcp, FabricKind.Mixed])
            foreach (var strategy in Groups.Legal(kind, Size, 2)) data.Add(strategy, kind);
        return data;
    }

    public static TheoryData<Strategy, StepPhase, FaultOperation> Deaths()
    {
        var data = new TheoryData<Strategy, StepPhase, FaultOperation>();
        foreach (var strategy in Groups.Legal(FabricKind.SharedMemory, Size, 2))
            foreach (var phase in (StepPhase[])[StepPhase.Dispatch, StepPhase.Combine])
                foreach (var operation in (FaultOperation[])[FaultOperation.Notify, FaultOperation.Wait]) data.Add(strategy, phase,
                    operation);
        return data;
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public void Drawn_faults_end_in_right_values_or_in_an_error_that_names_a_rank(Strategy strategy, FabricKind kind)
    {
        var random = Seed.For($"{nameof(Drawn_faults_end_in_right_values_or_in_an_error_that_names_a_rank)} {strategy} over {kind}");
        for (int i = 0; i < Draws; i++)
        {
            int seed = random.Next();
            World world = Worlds.Of(Size);
            FaultPlan[] plans = [.. world.Ranks.Select(rank => rank.Value != seed % Size ? new FaultPlan()
                : FaultPlan.Draw(seed, world, rank, 40, TimeSpan.FromMilliseconds(5)))];
            IReadOnlyList<Exception?> outcomes = Run(strategy, kind, seed, plans);
            string story = $"{strategy} over {kind}, seed {seed}, rank {seed % Size}: {plans[seed % Size]}";
            Assert.All(outcomes, o => Assert.True(o is null or FabricException { Culprit: not null }, $"{story}\n{o}"));
        }
    }

    [Theory]
    [MemberData(nameof(Deaths))]
    public void A_rank_that_dies_in_any_phase_is_named_by_all_others(Strategy strategy, StepPhase phase, FaultOperation operation)
    {
        World world = Worlds.Of(Size);
        var at = new FaultPoint(operation, 2) { Step = new StepId(3), Phase = phase };
        FaultPlan[] plans = [.. world.Ranks.Select(rank => rank.Value != 1 ? new FaultPlan()
            : new FaultPlan(new FaultRule(at, new Fault.Kill())))];
        IReadOnlyList<Exception?> outcomes = Run(strategy, FabricKind.SharedMemory, 7, plans);
        for (int rank = 0; rank < Size; rank++)
        {
            var error = Assert.IsType<FabricException>(outcomes[rank]);
            if (rank == 1) continue;
            Assert.Equal(1, error.Culprit?.Value);
            // Where rank 1 had said its part already, others notice in the next step.
            Assert.Matches("step [34], layer 0, (dispatch|combine)", error.Message);
        }
    }

    private static IReadOnlyList<Exception?> Run(Strategy strategy, FabricKind kind, int seed, FaultPlan[] plans)
    {
        var random = new Random(seed);
        ExpertPlacement placement = s_case.Placement(Size);
        var hosts = new Hosts([.. Enumerable.Range(0, Size).Select(r => $"host{r / 2}")]);
        All2AllShape shape = s_case.Shape(RowType.Bf16);
        Input[][] inputs = [.. Enumerable.Range(0, Steps).Select(step =>
            Enumerable.Range(0, Size).Select(rank => s_case.Make(random, rank, step)).ToArray())];
        float[][][] expected = [.. inputs.Select(i => Oracle.Outputs(i, placement, hosts, shape))];
        var plan = new WindowPlan();
        All2AllWindow window = All2AllWindow.Reserve(plan, Size, shape, hosts)!;
        bool mapped = Strategies.Problem(strategy, new GroupTraits(Size, false, 2)) is not null;
        return Ranks.Outcomes(kind, Worlds.Of(Size), plan, inner =>
        {
            int rank = inner.Self.Value;
            // A strategy that needs windows meets faults of its flags only.
            var faults = mapped ? new FaultPlan(plans[rank].Rules) { HidesWindows = false } : plans[rank];
            using var fabric = new FaultyFabric(inner, faults, Impatient);
            try
            {
                using var all = new Groups(fabric, window, shape, placement, hosts, [strategy]);
                for (int step = 0; step < Steps; step++)
                {
                    float[] got = Step(all[0], step, inputs[step][rank], placement, rank);
                    Assert.Equal(MemoryMarshal.Cast<float, uint>(expected[step][rank]).ToArray(), MemoryMarshal.Cast<float,
                        uint>(got).ToArray());
                }
            }
            catch (FabricException ended)
            {
                fabric.Abort(ended.Culprit, ended.Reason); // as the runtime does
                throw;
            }
        }, Impatient);
    }

    private static float[] Step(IAll2All all2all, int step, Input mine, ExpertPlacement placement, int rank)
    {
        StepPoint at = Groups.At(step + 1);
        using var hidden = Pinned.Of(mine.Hidden);
        DispatchHandle handle = all2all.Dispatch(at, hidden.Span, mine.Experts, mine.Weights, mine.Tokens);
        float[] row = new float[s_case.Hidden], shares = new float[s_case.TopK], output = new float[mine.Tokens * s_case.Hidden];
        int[] ids = new int[s_case.TopK];
        for (int i = 0; i < handle.Rows; i++)
        {
            handle.Await(i);
            handle.Decode(i, i + 1, row);
            handle.CopySlots(i, i + 1, ids, shares);
            handle.Encode(i, i + 1, Oracle.Partial(row, ids, shares, e => placement.Of(rank).Contains(new(e)), s_case.Experts));
            handle.Done(i + 1);
        }
        all2all.PostCombine(at, handle);
        all2all.WaitCombine(output);
        return output;
    }
}
