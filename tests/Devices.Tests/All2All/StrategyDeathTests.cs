using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>A rank that dies before, during or after any phase of any strategy.</summary>
public sealed class StrategyDeathTests
{
    private const int Size = 4, Steps = 4;
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(200) };
    private static readonly Case s_case = Case.All.Single(c => c.Name == "masked slots");

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
            // Others notice one step later where rank 1 had said its part already, or one earlier by the abort of a third.
            Assert.Matches("step [234], layer 0, (dispatch|combine)", error.Message);
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
                    float[] got = StrategyContractTests.Step(all[0], step, inputs[step][rank], s_case, placement, rank);
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
}
