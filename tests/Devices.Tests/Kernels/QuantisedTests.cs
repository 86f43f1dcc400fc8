using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

public sealed unsafe class QuantisedTests
{
    [Fact]
    public void Every_code_of_fp8_and_fp4_is_what_the_format_says()
    {
        // E4M3 by its definition: (-1)^s 2^(e-7) (1 + m/8), or 2^-6 m/8 where e is 0.
        for (int bits = 0; bits < 256; bits++)
        {
            (int sign, int e, int m) = (bits >> 7, (bits >> 3) & 15, bits & 7);
            double wanted = (sign == 1 ? -1 : 1) * (e == 0 ? Math.Pow(2, -6) * m / 8 : Math.Pow(2, e - 7) * (1 + m / 8.0));
            if (e == 15 && m == 7) Assert.True(float.IsNaN(Elements.FromFp8((byte)bits)));
            else Assert.Equal(wanted, Elements.FromFp8((byte)bits));
        }
        for (int bits = 0; bits < 16; bits++)
        {
            (int sign, int e, int m) = (bits >> 3, (bits >> 1) & 3, bits & 1);
            Assert.Equal((sign == 1 ? -1 : 1) * (e == 0 ? m / 2.0 : Math.Pow(2, e - 1) * (1 + m / 2.0)), Elements.FromFp4(bits));
        }
        for (int bits = 0; bits < 255; bits++) Assert.Equal(Math.Pow(2, bits - 127), Elements.FromE8M0((byte)bits));
        Assert.True(float.IsNaN(Elements.FromE8M0(255)));
    }

    [Fact]
    public void Every_code_comes_out_of_the_vector_kernels_as_it_is()
    {
        using var device = new CpuDevice(1);
        using NativeBuffer data = new(256 * 32), scales = new(256 * 4);
        foreach (ElementType type in (ElementType[])[ElementType.Fp8, ElementType.MxFp4])
        {
            // Row r has code r in every place.
            for (int i = 0; i < 256 * 32; i++) data.Data[i] = type == ElementType.Fp8 ? (byte)(i / 32) : (byte)(i / 16);
            if (type == ElementType.Fp8) scales.Floats(2).Fill(1);
            else new Span<byte>(scales.Data, 256).Fill(127);
            var weight = type == ElementType.Fp8
                ? new Weight(data.Data, type, 256, 32, 32, scales.Data, 4)
                : new Weight(data.Data, type, 256, 32, 16, scales.Data, 1);
            float[] x = new float[32], y = new float[256];
            for (int column = 0; column < 32; column++)
            {
                Array.Clear(x);
                x[column] = 1;
                device.Kernels.Linear(x, weight, y);
                for (int row = 0; row < 256; row++) Assert.Equal(weight[row, column], y[row]);
            }
        }
    }

    [Theory]
    [InlineData(ElementType.Int8, 0.5 / 127)]
    [InlineData(ElementType.Int4, 1.0 / 8)]
    public void A_quantised_value_is_within_half_a_step_of_what_it_was(ElementType type, double step)
    {
        Random random = Seed.For($"quantised {type}");
        foreach (int columns in (int[])[1, 31, 32, 33, 96, 200])
        {
            float[] from = [.. Enumerable.Range(0, 3 * columns).Select(_ => (random.NextSingle() - 0.5f) * MathF.Exp(random.Next(-9, 9)))];
            using NativeBuffer memory = new(Panels.Bytes(type, 3, columns));
            Weight to = Panels.View(memory.Data, type, 3, columns);
            fixed (float* values = from)
            {
                var source = new Weight((byte*)values, ElementType.F32, 3, columns);
                Panels.Fill(to, source, 0, 1, NoSpare);
                Panels.Fill(to, source, 1, 3, NoSpare);
                for (int row = 0; row < 3; row++)
                    for (int column = 0; column < columns; column++)
                    {
                        int first = column / 32 * 32, count = Math.Min(32, columns - first);
                        float most = Enumerable.Range(first, count).Max(c => MathF.Abs(source[row, c]));
                        // The scale itself is rounded to 8 bits: the largest value may be half a step and 1/256 of itself away.
                        Assert.InRange(Math.Abs(to[row, column] - source[row, column]), 0, most * (step + 1.0 / 256) + 1e-30);
                    }
            }
        }
    }

    [Fact]
    public void Packed_values_are_those_that_were_stored()
    {
        using var values = new Values(Seed.For("packed"));
        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.F32])
            for (int round = 0; round < 20; round++)
            {
                (int rows, int columns) = (values.Size(100), values.Size(100));
                Weight stored = values.Weight(rows, columns, type);
                using NativeBuffer memory = new(Panels.Bytes(ElementType.PackedBf16, rows, columns));
                Weight packed = Panels.View(memory.Data, ElementType.PackedBf16, rows, columns);
                for (int row = 0; row < rows; row += 64) Panels.Fill(packed, stored, row, Math.Min(rows, row + 64), NoSpare);
                for (int row = 0; row < rows; row++)
                    for (int column = 0; column < columns; column++)
                        Assert.Equal(Elements.FromBf16(Elements.ToBf16(stored[row, column])), packed[row, column]);
            }
    }

    [Fact]
    public void Rows_and_columns_that_are_taken_are_those_of_the_whole()
    {
        var values = new Values(Seed.For("taken"));
        foreach (ElementType type in Enum.GetValues<ElementType>().Where(type => !type.IsPanel()))
        {
            Weight whole = values.Weight(300, 320, type), part = whole.TakeRows(140, 150).TakeColumns(96, 192).TakeRows(1, 100);
            Assert.Equal((100, 192), (part.Rows, part.Columns));
            for (int row = 0; row < part.Rows; row++)
                for (int column = 0; column < part.Columns; column++) Assert.Equal(whole[141 + row, 96 + column], part[row, column]);
            if (type.IsPlain()) continue;
            Assert.Throws<ArgumentException>(() => whole.TakeColumns(8, 32));
            Assert.Throws<ArgumentException>(() => new Weight(null, type, 1, 32));
        }
        foreach (ElementType type in (ElementType[])[ElementType.Int8, ElementType.Int4, ElementType.PackedBf16])
        {
            Weight whole = values.Weight(110, 41, type), part = whole.TakeRows(64, 40);
            for (int row = 0; row < part.Rows; row++)
                for (int column = 0; column < part.Columns; column++) Assert.Equal(whole[64 + row, column], part[row, column]);
            Assert.Throws<ArgumentException>(() => whole.TakeRows(8, 16));
            Assert.Throws<ArgumentException>(() => whole.TakeColumns(32, 8));
        }
        values.Dispose();
        Assert.Throws<ArgumentException>(() => new Weight(null, ElementType.MxFp4, 1, 48, 24, null, 1));
    }

    private static byte* NoSpare(long bytes) => throw new InvalidOperationException($"asked for {bytes} bytes more");
}
