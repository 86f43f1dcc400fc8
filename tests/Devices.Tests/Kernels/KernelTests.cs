using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Kernels.Reference;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>Every vector kernel against naive loops, over random shapes of which many are no multiple of a vector.</summary>
public sealed class KernelTests : IDisposable
{
    private const int Rounds = 100;
    private readonly ReferenceDevice _reference = new();
    private readonly IDevice[] _devices = [new CpuDevice(1), new CpuDevice(3)];
    private readonly Values _values = new(Seed.For(nameof(KernelTests)));

    public void Dispose()
    {
        foreach (IDevice device in _devices) device.Dispose();
        _values.Dispose();
    }

    [Fact]
    public void Linear_agrees_with_the_reference() => Rounds_(() =>
    {
        (int rows, int inputs, int outputs) = (_values.Size(40), _values.Size(300), _values.Size(200));
        Weight weight = _values.Weight(outputs, inputs);
        float[] x = _values.Floats(rows * inputs);
        Same(k =>
        {
            float[] y = _values.Garbage(rows * outputs);
            k.Linear(x, weight, y);
            return y;
        }, $"{rows} x {inputs} x {outputs} {weight.Type}");
    });

    [Fact]
    public void Products_made_together_are_those_made_one_by_one() => Rounds_(() =>
    {
        (int rows, int inputs) = (_values.Size(60), 32 * _values.Size(9));
        ElementType type = _values.Type();
        // Mostly of one type, as in a layer; sometimes not.
        Weight[] weights = [.. Enumerable.Range(0, 2 + _values.Ints(1, 2)[0]).Select(_ =>
            _values.Weight(_values.Size(150), inputs, _values.Ints(1, 5)[0] == 0 ? _values.Type() : type))];
        float[] x = _values.Floats(rows * inputs);
        foreach (IDevice device in _devices)
        {
            float[][] alone = [.. weights.Select(weight => _values.Garbage(rows * weight.Rows))];
            float[][] together = [.. weights.Select(weight => _values.Garbage(rows * weight.Rows))];
            for (int i = 0; i < weights.Length; i++) device.Kernels.Linear(x, weights[i], alone[i]);
            device.Kernels.Linear(x, new Product(weights[0], together[0]), new Product(weights[1], together[1]),
                weights.Length > 2 ? new Product(weights[2], together[2]) : default);
            for (int i = 0; i < weights.Length; i++) Assert.Equal(alone[i], together[i]);
        }
    });

    [Fact]
    public void Gather_agrees_with_the_reference() => Rounds_(() =>
    {
        (int rows, int width, int vocabulary) = (_values.Size(40), _values.Size(100), _values.Size(50));
        Weight table = _values.Weight(vocabulary, width);
        int[] ids = _values.Ints(rows, vocabulary);
        Same(k =>
        {
            float[] y = _values.Garbage(rows * width);
            k.Gather(table, ids, y);
            return y;
        }, $"{rows} of {vocabulary} x {width}", tolerance: 0);
    });

    [Fact]
    public void RmsNorm_agrees_with_the_reference_in_place_or_not() => Rounds_(() =>
    {
        (int rows, int width) = (_values.Size(60), _values.Size(300));
        Weight scale = _values.Weight(1, width, _values.PlainType());
        float[] x = _values.Floats(rows * width);
        Same(k =>
        {
            float[] y = _values.Garbage(rows * width), inPlace = [.. x];
            k.RmsNorm(x, scale, 1e-6f, y);
            k.RmsNorm(inPlace, scale, 1e-6f, inPlace);
            return [.. y, .. inPlace];
        }, $"{rows} x {width}");
    });

    [Fact]
    public void Rope_agrees_with_the_reference() => Rounds_(() =>
    {
        (int rows, int heads, int half) = (_values.Size(30), _values.Size(9), _values.Size(70));
        float[] x = _values.Floats(rows * heads * 2 * half), angles = _values.Floats(rows * half);
        float[] cos = [.. angles.Select(MathF.Cos)], sin = [.. angles.Select(MathF.Sin)];
        Same(k =>
        {
            float[] y = [.. x];
            k.Rope(y, cos, sin, 2 * half);
            return y;
        }, $"{rows} x {heads} x {2 * half}");
    });

    [Fact]
    public void Route_agrees_with_the_reference_and_ties_go_to_the_lower_expert() => Rounds_(() =>
    {
        (int rows, int experts) = (_values.Size(50), _values.Size(70));
        int topK = Math.Min(experts, _values.Size(9));
        bool normalize = rows % 2 == 0;
        float[] logits = _values.Floats(rows * experts);
        // Coarse steps make ties, of which all computations must see the same.
        for (int i = 0; i < logits.Length; i++) logits[i] = MathF.Round(logits[i] * 2) / 2;
        int[]? ids = null;
        Same(k =>
        {
            int[] chosen = new int[rows * topK];
            float[] weights = _values.Garbage(rows * topK);
            k.Route([.. logits], experts, normalize, chosen, weights);
            Assert.Equal(ids ??= chosen, chosen);
            return weights;
        }, $"{rows} x {experts} top {topK}");
    });

    [Fact]
    public void SiluMultiply_and_add_agree_with_the_reference() => Rounds_(() =>
    {
        int count = _values.Size(3000);
        float[] a = [.. _values.Floats(count).Select(v => v * 30)], b = _values.Floats(count);
        Same(k =>
        {
            float[] y = [.. a], sum = [.. a];
            k.SiluMultiply(y, b);
            k.Add(sum, b);
            return [.. y, .. sum];
        }, $"{count}");
    });

    [Fact]
    public void Biases_and_gated_rows_are_added_as_the_reference_adds_them() => Rounds_(() =>
    {
        (int rows, int width) = (_values.Size(40), _values.Size(300));
        Weight bias = _values.Weight(1, width, _values.PlainType());
        float[] x = _values.Floats(rows * width), y = _values.Floats(rows * width);
        float[] gates = [.. _values.Floats(rows).Select(v => v * 20)];
        Same(k =>
        {
            float[] biased = [.. x], gated = [.. x];
            k.AddBias(biased, bias);
            k.AddGated(gated, gates, y);
            return [.. biased, .. gated];
        }, $"{rows} x {width}, bias {bias.Type}");
        foreach (IDevice device in _devices) device.Kernels.AddGated([], [], []);
    });

    [Fact]
    public void Silu_of_extreme_values_is_what_it_should_be()
    {
        float[] x = [0, -0f, 100, -100, 88.5f, -88.5f, float.MaxValue, float.MinValue, float.PositiveInfinity, 1e-30f, -87.4f];
        foreach (IDevice device in _devices)
        {
            float[] y = [.. x];
            device.Kernels.SiluMultiply(y, [.. x.Select(_ => 1f)]);
            for (int i = 0; i < x.Length; i++) Assert.Equal(x[i] / (1 + Math.Exp(-(double)x[i])), y[i], Math.Abs(x[i]) * 1e-6 + 1e-36);
            float[] nan = [float.NaN];
            device.Kernels.SiluMultiply(nan, [1]);
            Assert.True(float.IsNaN(nan[0]));
        }
    }

    [Fact]
    public void Experts_agree_with_the_reference() => Rounds_(() =>
    {
        (int rows, int width, int inner, int experts) = (_values.Size(30), _values.Size(80), _values.Size(60), _values.Size(12));
        int topK = Math.Min(experts, _values.Size(5)), local = 0;
        ElementType type = _values.Type(width, inner);
        int[] localOf = [.. Enumerable.Range(0, experts).Select(_ => _values.Size(3) > 1 ? local++ : -1)];
        var weights = new ExpertWeights(All(inner, width), All(inner, width), All(width, inner));
        int[] chosen = [.. Enumerable.Range(0, rows).SelectMany(_ => _values.Distinct(experts, topK))];
        if (chosen.Length > 2) chosen[1] = -1;
        float[] share = _values.Floats(chosen.Length), hidden = _values.Floats(rows * width);
        var sorted = new ExpertRows(localOf, local, chosen.Length);
        sorted.Sort(chosen, share, topK);
        Assert.Equal(chosen.Count(e => e >= 0 && localOf[e] >= 0), sorted.Pairs);
        Same(k =>
        {
            float[] partial = _values.Garbage(rows * width), room = _values.Garbage(sorted.Pairs * inner);
            k.Experts(weights, sorted, hidden, room, partial);
            return partial;
        }, $"{rows} x {width}, {local} of {experts} experts of {inner}, top {topK}, {type}");

        Weight[] All(int outputs, int inputs) => [.. Enumerable.Range(0, local).Select(_ => _values.Weight(outputs, inputs, type))];
    });

    [Fact]
    public void AllFinite_finds_one_bad_value_anywhere()
    {
        foreach (IDevice device in (IDevice[])[_reference, .. _devices])
            for (int count = 1; count < 70; count++)
            {
                float[] x = _values.Floats(count);
                Assert.True(device.Kernels.AllFinite(x));
                foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
                {
                    x[count * 7 % count] = bad;
                    Assert.False(device.Kernels.AllFinite(x));
                    x[count * 7 % count] = float.MaxValue;
                    Assert.True(device.Kernels.AllFinite(x));
                }
            }
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        IKernels kernels = _devices[0].Kernels;
        Weight weight = _values.Weight(3, 5, ElementType.BF16);
        Refused<ArgumentException>("whole rows of 5, got 9", () => kernels.Linear(new float[9], weight, new float[6]));
        Refused<ArgumentException>("must have 6 values, got 5", () => kernels.Linear(new float[10], weight, new float[5]));
        Refused<ArgumentOutOfRangeException>("in [0, 3), got 3", () => kernels.Gather(weight, [3], new float[5]));

        static void Refused<T>(string reason, Action call) where T : Exception =>
            Assert.Contains(reason, Assert.Throws<T>(call).Message, StringComparison.Ordinal);
    }

    private static void Rounds_(Action round)
    {
        for (int i = 0; i < Rounds; i++) round();
    }

    // The reference within rounding; devices with other counts of threads bit for bit.
    private void Same(Func<IKernels, float[]> run, string shape, float tolerance = 2e-5f)
    {
        float[] wanted = run(_reference.Kernels), first = run(_devices[0].Kernels), second = run(_devices[1].Kernels);
        float scale = tolerance * (1 + wanted.Select(MathF.Abs).DefaultIfEmpty().Max());
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(MathF.Abs(wanted[i] - first[i]) <= scale, $"{shape}: value {i} is {first[i]}, wanted {wanted[i]}");
        Assert.True(first.AsSpan().SequenceEqual(second), $"{shape}: other bits with 3 threads");
    }
}
