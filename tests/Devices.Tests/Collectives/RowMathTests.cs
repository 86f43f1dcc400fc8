using Troupe.Devices.All2All;
using Troupe.Devices.Collectives;
using Troupe.Devices.Tests.All2All;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Collectives;

/// <summary>The wide loops do what the definition says, for every length.</summary>
public sealed unsafe class RowMathTests
{
    private static readonly int[] Lengths = [0, 1, 7, 8, 15, 16, 17, 31, 100];

    [Fact]
    public void Rounding_to_bf16_takes_the_nearer_neighbour_and_the_even_one_at_a_tie()
    {
        foreach (int length in Lengths)
        {
            float[] values = Values(length), back = new float[length];
            ushort[] narrow = new ushort[length];
            Narrow(values, narrow);
            Widen(narrow, back);
            Assert.Equal(Bits(values.Select(Oracle.ToBf16)), Bits(back));
        }
    }

    [Fact]
    public void Rounding_keeps_infinities_and_what_is_not_a_number()
    {
        float[] unusual = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, BitConverter.UInt32BitsToSingle(0x7F80_0001)];
        float[] values = [.. Enumerable.Repeat(unusual, 5).SelectMany(v => v)];
        ushort[] narrow = new ushort[values.Length];
        float[] back = new float[values.Length];
        Narrow(values, narrow);
        Widen(narrow, back);
        Assert.Equal(values.Select(float.IsNaN), back.Select(float.IsNaN));
        Assert.Equal(values.Where(float.IsInfinity), back.Where(float.IsInfinity));
    }

    [Fact]
    public void Sums_are_those_of_plain_loops()
    {
        foreach (int length in Lengths)
        {
            float[] values = Values(length), sum = Values(length), expected = [.. Values(length).Select((v, i) => v + values[i])];
            RowMath.Add(values, sum);
            Assert.Equal(expected, sum);

            ushort[] narrow = new ushort[length];
            Narrow(values, narrow);
            expected = [.. sum.Select((v, i) => v + Oracle.ToBf16(values[i]))];
            AddHost(narrow, sum);
            Assert.Equal(expected, sum);

            AddAlone(values, sum);
            Assert.Equal(Bits(values.Select(v => 0f + v)), Bits(sum));
            Assert.DoesNotContain(0x8000_0000u, Bits(sum));
        }
    }

    private static void Narrow(float[] from, ushort[] to)
    {
        fixed (float* f = from)
        fixed (ushort* t = to) RowCodec.Narrow(f, t, from.Length);
    }

    private static void Widen(ushort[] from, float[] to)
    {
        fixed (ushort* f = from)
        fixed (float* t = to) RowCodec.Widen(f, t, from.Length);
    }

    private static void AddHost(ushort[] row, float[] sum)
    {
        fixed (ushort* r = row)
        fixed (float* s = sum) PartialSums.AddHost(RowType.Bf16, (byte*)r, s, row.Length);
    }

    /// <summary>A sum of one row.</summary>
    private static void AddAlone(float[] row, float[] sum)
    {
        fixed (float* r = row, s = sum)
        {
            byte* only = (byte*)r;
            PartialSums.Add(RowType.Fp32, &only, 1, s, row.Length);
        }
    }

    private static uint[] Bits(IEnumerable<float> values) => [.. values.Select(BitConverter.SingleToUInt32Bits)];

    private static float[] Values(int length)
    {
        var random = Seed.For(nameof(RowMathTests));
        return [.. Enumerable.Range(0, length).Select(i => (i % 5) switch
        {
            0 => -0f,
            1 => BitConverter.UInt32BitsToSingle(0x3F80_8000), // a tie between even below and odd above
            2 => BitConverter.UInt32BitsToSingle(0x3F81_8000), // and the other way round
            _ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-30, 30))),
        })];
    }
}
