using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>What every strategy owes its callers, on every fabric. All of them take turns on one window, as a router makes them.</summary>
public sealed class StrategyContractTests
{
    private const int Steps = 3;

    public static TheoryData<FabricKind, int, int, RowType, string> Cases()
    {
        var data = new TheoryData<FabricKind, int, int, RowType, string>();
        foreach (var kind in Worlds.Fabrics)
            foreach ((int ranks, int hosts) in Sizes(kind))
                foreach (var rows in Enum.GetValues<RowType>())
                    foreach (var shape in Case.All) data.Add(kind, ranks, hosts, rows, shape.Name);
        return data;
    }

    private static (int Ranks, int Hosts)[] Sizes(FabricKind kind) => kind switch
    {
        FabricKind.InProcess => [(1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (2, 2), (3, 2), (4, 2), (8, 2), (8, 3)],
        FabricKind.Mixed => [(3, 2), (8, 4)],
        _ => [(1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (4, 2)],
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Outputs_equal_the_oracle_bit_for_bit(FabricKind kind, int ranks, int hosts, RowType rows, string name)
    {
        var example = Case.All.Single(c => c.Name == name);
        var random = Seed.For(name);
        var placement = example.Placement(ranks);
        var labels = new Hosts([.. Enumerable.Range(0, ranks).Select(r => $"host{r * hosts / ranks}")]);
        All2AllShape shape = example.Shape(rows);
        Strategy[] strategies = Groups.Legal(kind, ranks, hosts);
        Input[][] inputs = [.. Enumerable.Range(0, Steps * strategies.Length).Select(step =>
            Enumerable.Range(0, ranks).Select(rank => example.Make(random, rank, step)).ToArray())];
        float[][][] outputs = [.. inputs.Select(_ => new float[ranks][])];

        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, ranks, shape, labels);
        Ranks.Run(kind, Worlds.Of(ranks), plan, fabric =>
        {
            int rank = fabric.Self.Value;
            using var all = new Groups(fabric, window, shape, placement, labels, strategies);
            for (int step = 0; step < inputs.Length; step++)
                outputs[step][rank] = Step(all[step % strategies.Length], step, inputs[step][rank], example, placement, rank);
        });

        for (int step = 0; step < inputs.Length; step++)
        {
            float[][] expected = Oracle.Outputs(inputs[step], placement, labels, shape);
            for (int rank = 0; rank < ranks; rank++)
                Assert.True(Bits(expected[rank]).SequenceEqual(Bits(outputs[step][rank])),
                    $"{strategies[step % strategies.Length]}, step {step}, rank {rank}: "
                        + string.Join("; ", Differences(expected[rank], outputs[step][rank])));
        }

        static uint[] Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
    }

    [Theory]
    [InlineData(RowType.Bf16)]
    [InlineData(RowType.Fp32)]
    [InlineData(RowType.Fp8)]
    public void Rows_and_outputs_of_bf16_are_those_of_fp32_rounded(RowType rows)
    {
        var shape = new All2AllShape(8, 96, 2, rows);
        var random = Seed.For(nameof(Rows_and_outputs_of_bf16_are_those_of_fp32_rounded));
        float[] wide = [.. Enumerable.Range(0, 8 * 96).Select(_ => Oracle.ToBf16((float)random.NextDouble() - 0.5f))];
        var plan = new WindowPlan();
        All2AllWindow? window = All2AllWindow.Reserve(plan, 2, shape);
        Ranks.Run(FabricKind.SharedMemory, Worlds.Of(2), plan, fabric =>
        {
            using var all = new Groups(fabric, window, shape, ExpertPlacement.Blocks(4, 2), Hosts.One(2),
                Groups.Legal(FabricKind.SharedMemory, 2, 1));
            using var narrow = Pinned.Of(MemoryMarshal.Cast<float, uint>(wide).ToArray().Select(b => (ushort)(b >> 16)).ToArray());
            using var hidden = Pinned.Of(wide.ToArray());
            int[] experts = [.. Enumerable.Range(0, 16).Select(i => i % 4)];
            float[] weights = [.. Enumerable.Repeat(0.5f, 16)], output = new float[8 * 96];
            ushort[] rounded = new ushort[8 * 96];
            for (int i = 0; i < all.Count; i++)
            {
                StepPoint at = Groups.At(2 * i + 1), then = Groups.At(2 * i + 2);
                all[i].PostCombine(at, Groups.Identity(all[i].Dispatch(at, hidden.Span, experts, weights, 8), 0.5f));
                all[i].WaitCombine(output);
                all[i].PostCombine(then,
                    Groups.Identity(all[i].Dispatch(then, (ReadOnlySpan<ushort>)narrow.Span, experts, weights, 8), 0.5f));
                all[i].WaitCombine(rounded);
                Assert.Equal(output.Select(Oracle.ToBf16), rounded.Select(h => BitConverter.UInt32BitsToSingle((uint)h << 16)));
            }
        });
    }

    private static IEnumerable<string> Differences(float[] expected, float[] actual) =>
        expected.Zip(actual).Select((p, i) => (p.First, p.Second, i))
            .Where(d => BitConverter.SingleToUInt32Bits(d.First) != BitConverter.SingleToUInt32Bits(d.Second)).Take(3)
            .Select(d => $"value {d.i} is {d.Second}, wanted {d.First}");

    internal static float[] Step(IAll2All all2all, int step, Input mine, Case example, ExpertPlacement placement, int rank)
    {
        StepPoint at = Groups.At(step + 1);
        using var hidden = Pinned.Of(mine.Hidden);
        var handle = all2all.Dispatch(at, hidden.Span, mine.Experts, mine.Weights, mine.Tokens);
        Oracle.Serve(handle, example, placement, rank);
        float[] output = [.. Enumerable.Repeat(float.NaN, mine.Tokens * example.Hidden)];
        all2all.PostCombine(at, handle);
        all2all.WaitCombine(output);
        return output;
    }
}
