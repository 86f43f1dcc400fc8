using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>What a row comes to depends on no other row of the call and on no count of threads, bit for bit, for every type.</summary>
public sealed class BatchInvarianceTests : IDisposable
{
    private readonly IDevice[] _devices = [new CpuDevice(1), new CpuDevice(3)];
    private readonly Values _values = new(Seed.For(nameof(BatchInvarianceTests)));

    public void Dispose()
    {
        foreach (IDevice device in _devices) device.Dispose();
        _values.Dispose();
    }

    [Fact]
    public void A_product_of_a_row_is_the_same_alone_and_in_company()
    {
        foreach (ElementType type in Values.Types)
            for (int round = 0; round < 12; round++)
            {
                int rest = round % 3 == 0 && type != ElementType.MxFp4 ? 16 : 0;
                (int rows, int inputs, int outputs) = (_values.Size(40), 32 * _values.Size(14) + rest, _values.Size(150));
                Weight weight = _values.Weight(outputs, inputs, type);
                float[] x = _values.Floats(rows * inputs);
                AlsoAlone(rows, inputs, outputs, x, (k, some, y) => k.Linear(some, weight, y),
                    $"{type} {rows} x {inputs} x {outputs}");
            }
    }

    [Fact]
    public void Experts_make_the_same_of_a_row_alone_and_in_company()
    {
        foreach (ElementType type in Values.Types)
            for (int round = 0; round < 6; round++)
            {
                const int experts = 9, topK = 3;
                (int rows, int width, int inner) = (_values.Size(40), 32 * _values.Size(13), 32 * _values.Size(13));
                var weights = new ExpertWeights(All(inner, width), All(inner, width), All(width, inner));
                // A row's experts follow from the row, so that it has the same ones alone.
                float[] x = _values.Floats(rows * width);
                AlsoAlone(rows, width, width, x, (k, hidden, y) =>
                {
                    int count = hidden.Length / width;
                    var sorted = new ExpertRows([.. Enumerable.Range(0, experts)], experts, count * topK);
                    int[] chosen = new int[count * topK];
                    float[] shares = new float[chosen.Length];
                    for (int row = 0; row < count; row++)
                        for (int i = 0; i < topK; i++)
                        {
                            int first = Math.Abs((int)(hidden[row * width] * 1000));
                            (chosen[row * topK + i], shares[row * topK + i]) = ((first + i) % experts, hidden[row * width + i]);
                        }
                    sorted.Sort(chosen, shares, topK);
                    k.Experts(weights, sorted, hidden, new float[sorted.Pairs * inner], y);
                }, $"{type}, {rows} x {width} x {inner}");

                Weight[] All(int outputs, int inputs) =>
                    [.. Enumerable.Range(0, experts).Select(_ => _values.Weight(outputs, inputs, type))];
            }
    }

    [Fact]
    public void Attention_of_a_row_is_the_same_alone_in_company_in_chunks_and_by_any_count_of_threads()
    {
        Random random = Seed.For(nameof(BatchInvarianceTests) + "/attention");
        CpuDevice[] devices = [.. Enumerable.Range(1, 5).Select(threads => new CpuDevice(threads))];
        for (int round = 0; round < 24; round++)
        {
            using AttentionCase asked = AttentionCase.Random(_values, random, devices[0].Kernels, out string what);
            int[] all = [.. Enumerable.Range(0, asked.Rows)];
            float[] wanted = asked.Attend(devices[0].Kernels, all);
            foreach (CpuDevice device in devices)
            {
                Same(all, asked.Attend(device.Kernels, all), $"{device.Threads} threads");
                for (int first = 0; first < all.Length;)
                {
                    int[] some = all[first..Math.Min(all.Length, first + _values.Size(12))];
                    Same(some, asked.Attend(device.Kernels, some), $"rows {first} on, {device.Threads} threads");
                    first += some.Length;
                }
                int[] mixed = [.. all];
                random.Shuffle(mixed);
                Same(mixed, asked.Attend(device.Kernels, mixed), $"in another order, {device.Threads} threads");
                Same(mixed[..1], asked.Attend(device.Kernels, mixed[0]), $"row {mixed[0]} alone, {device.Threads} threads");
            }

            void Same(int[] rows, float[] got, string how)
            {
                for (int i = 0; i < rows.Length; i++)
                {
                    ReadOnlySpan<int> bits = Bits(got.AsSpan(i * asked.Width, asked.Width));
                    Assert.True(Bits(wanted.AsSpan(rows[i] * asked.Width, asked.Width)).SequenceEqual(bits), $"{what}: other bits {how}");
                }
            }
        }
        foreach (CpuDevice device in devices) device.Dispose();

        static ReadOnlySpan<int> Bits(ReadOnlySpan<float> x) => System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(x);
    }

    [Fact]
    public void What_is_not_finite_stays_so_in_packed_and_integer_products()
    {
        foreach (ElementType type in Values.Types.Where(type => type.IsPanel()))
            foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            {
                Weight weight = _values.Weight(20, 350, type);
                float[] x = _values.Floats(350), y = new float[20];
                x[37] = bad;
                _devices[0].Kernels.Linear(x, weight, y);
                Assert.False(_devices[0].Kernels.AllFinite(y));
            }
    }

    private delegate void Kernel(IKernels kernels, ReadOnlySpan<float> x, Span<float> y);

    private void AlsoAlone(int rows, int inputs, int outputs, float[] x, Kernel run, string what)
    {
        float[]? wanted = null;
        foreach (IDevice device in _devices)
        {
            float[] all = _values.Garbage(rows * outputs);
            run(device.Kernels, x, all);
            Assert.True((wanted ??= all).AsSpan().SequenceEqual(all), $"{what}: other bits with {device.Threads} threads");
            for (int first = 0; first < rows;)
            {
                int count = Math.Min(_values.Size(6), rows - first);
                float[] some = _values.Garbage(count * outputs);
                run(device.Kernels, x.AsSpan(first * inputs, count * inputs), some);
                Assert.True(wanted.AsSpan(first * outputs, count * outputs).SequenceEqual(some),
                    $"{what}: rows {first} to {first + count - 1} alone have other bits");
                first += count;
            }
        }
    }
}
