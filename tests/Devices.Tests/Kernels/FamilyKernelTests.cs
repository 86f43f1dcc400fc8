using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Kernels.Reference;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>What only some families of models need of the kernels, against naive loops over random shapes.</summary>
public sealed class FamilyKernelTests : IDisposable
{
    private const int Rounds = 60;
    private readonly ReferenceDevice _reference = new();
    private readonly IDevice[] _devices = [new CpuDevice(1), new CpuDevice(3)];
    private readonly Random _random = Seed.For(nameof(FamilyKernelTests));
    private readonly Values _values;

    public FamilyKernelTests() => _values = new Values(_random);

    public void Dispose()
    {
        foreach (IDevice device in _devices) device.Dispose();
        _values.Dispose();
    }

    [Fact]
    public void A_part_of_each_head_turns_whichever_values_are_pairs() => Round(() =>
    {
        (int rows, int heads, int half) = (_values.Size(20), _values.Size(9), _values.Size(40));
        (int before, int after) = (_random.Next(20), _random.Next(20));
        var turning = new RopeHeads(before + 2 * half + after, before, 2 * half, Neighbours: _random.Next(2) == 0);
        float[] x = _values.Floats(rows * heads * turning.Size), angles = _values.Floats(rows * half);
        float[] cos = [.. angles.Select(MathF.Cos)], sin = [.. angles.Select(MathF.Sin)];
        float[] y = Same(k =>
        {
            float[] y = [.. x];
            k.Rope(y, cos, sin, turning);
            return y;
        }, $"{rows} x {heads} of {turning}");
        for (int i = 0; i < y.Length; i++)
            if (i % turning.Size < before || i % turning.Size >= before + 2 * half) Assert.Equal(x[i], y[i]);
    });

    [Fact]
    public void Rows_are_routed_by_any_rule_and_ties_go_to_the_lower_expert() => Round(() =>
    {
        (int rows, int groups, int size) = (_values.Size(40), _values.Size(8), _values.Size(12));
        int kept = _random.Next(1, groups + 1), topK = _random.Next(1, Math.Min(9, kept * size) + 1);
        bool corrected = _random.Next(2) == 0;
        var rule = new RouteRule(groups * size)
        {
            Sigmoid = _random.Next(2) == 0, Correction = corrected ? _values.Weight(1, groups * size, _values.PlainType()) : null,
            Groups = groups, KeptGroups = kept, GroupsByTwo = _random.Next(2) == 0, Normalize = _random.Next(2) == 0,
            Scale = _random.NextSingle() + 1,
        };
        // Coarse steps make ties; with a correction they would be ties up to rounding, which nobody promises.
        float[] logits = _values.Floats(rows * rule.Experts);
        if (!corrected) for (int i = 0; i < logits.Length; i++) logits[i] = MathF.Round(logits[i] * 2) / 2;
        int[]? ids = null;
        Same(k =>
        {
            int[] chosen = new int[rows * topK];
            float[] weights = _values.Garbage(rows * topK);
            k.Route([.. logits], rule, chosen, weights);
            Assert.Equal(ids ??= chosen, chosen);
            return weights;
        }, $"{rows} rows top {topK} by {rule}");
        foreach (int[] row in ids!.Chunk(topK))
        {
            Assert.Equal(topK, row.Distinct().Count());
            Assert.InRange(row.Select(e => e / size).Distinct().Count(), 1, kept);
        }
    });

    [Fact]
    public void Heads_are_multiplied_with_matrices_of_their_own_in_both_directions() => Round(() =>
    {
        (int rows, int heads, int columns) = (_values.Size(14), _values.Size(6), _values.Size(90));
        (int first, int count, int rest) = (_random.Next(8), _values.Size(40), _random.Next(8));
        int stride = first + count + rest;
        // As checkpoints store them: nobody turns these into panels.
        ElementType type = _values.Type(columns);
        Weight all = _values.Weight(heads * stride, columns, type.IsPanel() ? ElementType.Fp8 : type);
        var matrices = new HeadMatrices(all, heads, stride, first, count, Transposed: _random.Next(2) == 0);
        (int xStride, int yStride) = (matrices.Inputs + _random.Next(9), matrices.Outputs + _random.Next(9));
        float[] x = _values.Floats(rows * heads * xStride), y0 = _values.Floats(rows * heads * yStride);
        float[] whole = Same(Run, $"{rows} x {heads} x {count} of {stride} x {columns} {all.Type}, transposed {matrices.Transposed}");
        // A row alone has the bits that it has among others.
        int row = _random.Next(rows);
        (int xRow, int yRow) = (heads * xStride, heads * yStride);
        float[] alone = y0[(row * yRow)..((row + 1) * yRow)];
        _devices[0].Kernels.HeadLinear(x.AsSpan(row * xRow, xRow), xStride, matrices, alone, yStride);
        Assert.True(whole.AsSpan(row * yRow, yRow).SequenceEqual(alone));

        float[] Run(IKernels k)
        {
            float[] y = [.. y0];
            k.HeadLinear(x, xStride, matrices, y, yStride);
            return y;
        }
    });

    [Fact]
    public void Experts_with_biases_agree_with_the_reference() => Round(() =>
    {
        (int rows, int width, int inner, int experts) = (_values.Size(30), _values.Size(80), _values.Size(60), _values.Size(9));
        int topK = Math.Min(experts, _values.Size(5));
        ElementType type = _values.Type(width, inner), bias = _values.PlainType();
        int[] localOf = [.. Enumerable.Range(0, experts)];
        var weights = new ExpertWeights(All(inner, width, type), All(inner, width, type), All(width, inner, type))
        {
            Biased = new BiasedExperts(All(1, inner, bias), All(1, inner, bias), All(1, width, bias), 1.702f, 0.8f),
        };
        int[] chosen = [.. Enumerable.Range(0, rows).SelectMany(_ => _values.Distinct(experts, topK))];
        float[] share = _values.Floats(chosen.Length), hidden = _values.Floats(rows * width);
        float[] whole = Same(k => Run(k, 0, rows), $"{rows} x {width}, {experts} experts of {inner}, top {topK}, {type}");
        int row = _random.Next(rows);
        Assert.True(whole.AsSpan(row * width, width).SequenceEqual(Run(_devices[0].Kernels, row, 1)), "other bits alone");

        float[] Run(IKernels k, int first, int count)
        {
            var sorted = new ExpertRows(localOf, experts, chosen.Length);
            sorted.Sort(chosen.AsSpan(first * topK, count * topK), share.AsSpan(first * topK, count * topK), topK);
            float[] partial = _values.Garbage(count * width), room = _values.Garbage(sorted.Pairs * weights.Room);
            k.Experts(weights, sorted, hidden.AsSpan(first * width, count * width), room, partial);
            return partial;
        }

        Weight[] All(int outputs, int inputs, ElementType of) => [.. localOf.Select(_ => _values.Weight(outputs, inputs, of))];
    });

    [Fact]
    public void Values_are_brought_within_bounds()
    {
        for (int count = 0; count < 70; count++)
        {
            float[] x = _values.Floats(count), wanted = [.. x.Select(v => Math.Clamp(v, -0.25f, 0.25f))];
            foreach (IDevice device in (IDevice[])[_reference, .. _devices])
            {
                float[] y = [.. x];
                device.Kernels.Clamp(y, 0.25f);
                Assert.Equal(wanted, y);
            }
        }
    }

    [Theory]
    [InlineData(4, 2, 32, 32, 7, true, ElementType.F32)]
    [InlineData(4, 2, 32, 32, 100, false, ElementType.BF16)]
    [InlineData(6, 3, 20, 36, 1, true, ElementType.F32)] // values wider than keys
    [InlineData(5, 1, 48, 16, 0, true, ElementType.F32)]
    [InlineData(9, -1, 37, 29, 0, false, ElementType.F32)] // latent vectors: values are the first part of their keys
    [InlineData(6, -1, 80, 64, 0, false, ElementType.BF16)]
    [InlineData(2, -1, 24, 16, 50, true, ElementType.F32)]
    public void Windows_sinks_and_latent_vectors_agree_with_the_reference(
        int heads, int kvHeads, int keySize, int valueSize, int window, bool sinks, ElementType type)
    {
        const int rows = 150, block = 32;
        var shape = new KvShape(Math.Abs(kvHeads), keySize, valueSize, ValuesInKeys: kvHeads < 0);
        float[] keys = _values.Floats(rows * shape.Heads * keySize);
        float[] values = shape.ValuesInKeys ? [] : _values.Floats(rows * shape.Heads * valueSize);
        float[] queries = [.. _values.Floats(rows * heads * keySize).Select(v => 4 * v)];
        var how = new Attending(new HeadGroups(heads / shape.Heads), 0.3f)
        {
            Window = window, Sinks = sinks ? _values.Weight(1, heads, _values.PlainType()) : null,
        };
        float[] whole = Same(k => Run(k, rows), $"{shape} {how}", type == ElementType.F32 ? 2e-5f : 1e-4f);
        // However the prompt is cut, the bits are the same.
        Assert.True(whole.AsSpan().SequenceEqual(Run(_devices[0].Kernels, 37)), "other bits in chunks");

        unsafe float[] Run(IKernels kernels, int chunk)
        {
            int blocks = (rows + block - 1) / block;
            using var keyMemory = new NativeBuffer(blocks * shape.KeyBytes(type, block));
            using var valueMemory = new NativeBuffer(Math.Max(1, blocks * shape.ValueBytes(type, block)));
            // What lies in blocks that nobody wrote must not matter.
            new Span<byte>(keyMemory.Data, (int)keyMemory.Bytes).Fill(0xFF);
            new Span<byte>(valueMemory.Data, (int)valueMemory.Bytes).Fill(0xFF);
            var kv = new KvBlocks(keyMemory.Data, shape.ValuesInKeys ? null : valueMemory.Data, type, block, shape);
            float[] output = _values.Garbage(rows * heads * valueSize);
            for (int first = 0; first < rows; first += chunk)
            {
                int count = Math.Min(chunk, rows - first);
                var view = new KvRows
                {
                    Positions = Enumerable.Range(first, count).ToArray(), Slots = new int[count],
                    Blocks = Enumerable.Range(0, blocks).Reverse().ToArray(), BlocksPerSlot = blocks,
                };
                int size = heads * valueSize;
                kernels.StoreKv(kv, view, Rows(keys, keySize * shape.Heads),
                    shape.ValuesInKeys ? [] : Rows(values, valueSize * shape.Heads));
                kernels.Attend(kv, view, how, Rows(queries, keySize * heads), output.AsSpan(first * size, count * size));

                ReadOnlySpan<float> Rows(float[] of, int width) => of.AsSpan(first * width, count * width);
            }
            return output;
        }
    }

    private static void Round(Action round)
    {
        for (int i = 0; i < Rounds; i++) round();
    }

    // The reference within rounding; devices with other counts of threads bit for bit.
    private float[] Same(Func<IKernels, float[]> run, string shape, float tolerance = 2e-5f)
    {
        float[] wanted = run(_reference.Kernels), first = run(_devices[0].Kernels), second = run(_devices[1].Kernels);
        float scale = tolerance * (1 + wanted.Select(MathF.Abs).DefaultIfEmpty().Max());
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(MathF.Abs(wanted[i] - first[i]) <= scale, $"{shape}: value {i} is {first[i]}, wanted {wanted[i]}");
        Assert.True(first.AsSpan().SequenceEqual(second), $"{shape}: other bits with 3 threads");
        return first;
    }
}
