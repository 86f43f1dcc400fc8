using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>What every strategy owes its callers, on every fabric.</summary>
public sealed class StrategyContractTests
{
    private const int Steps = 5;

    public static TheoryData<FabricKind, int, RowType, string> Cases()
    {
        var data = new TheoryData<FabricKind, int, RowType, string>();
        foreach (var kind in Worlds.Fabrics)
            foreach (int ranks in (int[])[1, 2, 3, 4, 8])
                foreach (var rows in Enum.GetValues<RowType>())
                    foreach (var shape in Case.All) data.Add(kind, ranks, rows, shape.Name);
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Outputs_equal_the_oracle_bit_for_bit(FabricKind kind, int ranks, RowType rows, string name)
    {
        var example = Case.All.Single(c => c.Name == name);
        var random = Seed.For(name);
        var placement = ExpertPlacement.Blocks(example.Experts, ranks);
        Input[][] inputs = [.. Enumerable.Range(0, Steps).Select(step =>
            Enumerable.Range(0, ranks).Select(rank => example.Make(random, rank, step)).ToArray())];
        float[][][] outputs = [.. inputs.Select(_ => new float[ranks][])];

        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var make = Strategies.Reserve(Strategy.AllGatherReduceScatter, plan, ranks, example.Shape(rows));
        Ranks.Run(kind, world, plan, fabric =>
        {
            using var all2all = make(fabric, world.All);
            int rank = fabric.Self.Value;
            for (int step = 0; step < Steps; step++)
                outputs[step][rank] = Step(all2all, step, inputs[step][rank], example, placement, rank);
        });

        for (int step = 0; step < Steps; step++)
        {
            float[][] expected = Oracle.Outputs(inputs[step], placement, example.Hidden, example.TopK, rows);
            for (int rank = 0; rank < ranks; rank++)
                Assert.Equal(Bits(expected[rank]), Bits(outputs[step][rank]));
        }

        static uint[] Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
    }

    private static float[] Step(IAll2All all2all, int step, Input mine, Case example, ExpertPlacement placement, int rank)
    {
        var at = new StepPoint(new Epoch(1), new StepId(step + 1), new LayerIndex(0), StepPhase.Route);
        using var hidden = Pinned.Of(mine.Hidden);
        using var experts = Pinned.Of(mine.Experts);
        using var weights = Pinned.Of(mine.Weights);
        var handle = all2all.Dispatch(at, hidden.Span, experts.Span, weights.Span, mine.Tokens);
        float[] partial = new float[handle.Rows * example.Hidden];
        for (int row = 0; row < handle.Rows; row++)
        {
            float[] sum = Oracle.Partial(handle.Hidden.Slice(row * example.Hidden, example.Hidden),
                handle.Experts.Slice(row * example.TopK, example.TopK),
                handle.Weights.Slice(row * example.TopK, example.TopK), placement, rank);
            sum.CopyTo(partial.AsSpan(row * example.Hidden));
        }
        float[] output = [.. Enumerable.Repeat(float.NaN, mine.Tokens * example.Hidden)];
        all2all.Combine(at, handle, partial, output);
        return output;
    }
}
