using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>Whatever goes wrong on the fabric below: a strategy ends with the oracle's bits or with an error that names a rank.</summary>
public sealed class StrategyFaultTests
{
    private const int Draws = 6, Steps = 4;
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(200) };

    public static TheoryData<Strategy, FabricKind> Everywhere()
    {
        var data = new TheoryData<Strategy, FabricKind>();
        foreach (var kind in Worlds.Fabrics)
            foreach (var strategy in Groups.Legal(kind, Size(kind).Ranks, Size(kind).Hosts)) data.Add(strategy, kind);
        return data;
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public void Drawn_faults_end_in_the_oracles_bits_or_in_an_error_that_names_a_rank(Strategy strategy, FabricKind kind)
    {
        var random = Seed.For($"{nameof(Drawn_faults_end_in_the_oracles_bits_or_in_an_error_that_names_a_rank)}: {strategy} over {kind}");
        for (int i = 0; i < Draws; i++) RunOne(strategy, kind, random.Next());
    }

    /// <summary>A group on two hosts where the strategy can tell, else on one.</summary>
    private static (int Ranks, int Hosts) Size(FabricKind kind) => kind switch
    {
        FabricKind.InProcess => (4, 2),
        FabricKind.Mixed => (3, 2),
        _ => (3, 1),
    };

    private static void RunOne(Strategy strategy, FabricKind kind, int seed)
    {
        var (ranks, hosts) = Size(kind);
        var random = new Random(seed);
        var example = Case.All[random.Next(Case.All.Count)];
        var world = Worlds.Of(ranks);
        // All ranks map, or none does: what rules about Puts are for needs strategies that put.
        bool hides = Groups.Legal(FabricKind.Tcp, ranks, hosts).Contains(strategy) && random.Next(2) == 0;
        FaultPlan[] plans = [.. world.Ranks.Select(rank => new FaultPlan(random.Next(2) == 0 && rank.Value != seed % ranks
            ? []
            : FaultPlan.Draw(random.Next(), world, rank, 6 * Steps, TimeSpan.FromMilliseconds(5)).Rules) { HidesWindows = hides })];
        var placement = example.Placement(ranks);
        var labels = new Hosts([.. Enumerable.Range(0, ranks).Select(r => $"host{r * hosts / ranks}")]);
        var shape = example.Shape(RowType.Bf16);
        Input[][] inputs = [.. Enumerable.Range(0, Steps).Select(step =>
            Enumerable.Range(0, ranks).Select(rank => example.Make(random, rank, step)).ToArray())];
        float[][][] expected = [.. inputs.Select(step => Oracle.Outputs(step, placement, labels, shape))];

        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, ranks, shape, labels);
        var outcomes = Ranks.Outcomes(kind, world, plan, inner =>
        {
            int rank = inner.Self.Value;
            using var fabric = new FaultyFabric(inner, plans[rank], Impatient);
            try
            {
                using var all = new Groups(fabric, window, shape, placement, labels, [strategy]);
                for (int step = 0; step < Steps; step++)
                {
                    float[] output = StrategyContractTests.Step(all[0], step, inputs[step][rank], example, placement, rank);
                    Assert.True(Bits(expected[step][rank]).SequenceEqual(Bits(output)), $"wrong values in step {step}");
                }
            }
            catch (FabricException ended)
            {
                fabric.Abort(ended.Culprit, ended.Reason); // as the runtime does
                throw;
            }
        }, Impatient);

        string story = $"{strategy} over {kind}, seed {seed}, '{example.Name}', windows {(hides ? "hidden" : "shown")}: "
            + string.Join(" | ", plans.Select((p, rank) => $"rank {rank}: {p}"));
        foreach (var outcome in outcomes) Assert.True(outcome is null or FabricException { Culprit: not null }, $"{story}\n{outcome}");

        static ReadOnlySpan<uint> Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values);
    }
}
