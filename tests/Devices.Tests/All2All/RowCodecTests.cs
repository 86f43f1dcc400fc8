using Troupe.Devices.All2All;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

/// <summary>Rows of int8 and fp8 against the nearest value that the format has, found by looking at all of them.</summary>
public sealed unsafe class RowCodecTests
{
    private const int Group = RowTypes.ScaleGroup;

    /// <summary>Every bf16 value up to the largest of e4m3, in groups whose scale is 1.</summary>
    [Fact]
    public void Fp8_is_the_nearest_there_is()
    {
        float[] formats = [.. Enumerable.Range(0, 0x7F).Select(b => E4m3((byte)b))];
        Assert.Equal(448, formats[^1]);
        float[] wanted = [.. Enumerable.Range(0, 0x43E1).SelectMany(b => (float[])[RowCodec.Widen((ushort)b), -RowCodec.Widen((ushort)b)])];
        float[] got = RoundTrip(RowType.Fp8, wanted, 448, Group);
        for (int i = 0; i < wanted.Length; i++)
        {
            float size = MathF.Abs(wanted[i]);
            int near = Enumerable.Range(0, formats.Length).MinBy(b => (Math.Abs((double)formats[b] - size), b & 1));
            Assert.Equal(MathF.CopySign(formats[near], wanted[i]), got[i]);
        }
    }

    /// <summary>Groups of all lengths, whose scale is a power of two: so that what is expected is exact.</summary>
    [Fact]
    public void Int8_is_the_nearest_there_is_in_rows_of_any_length()
    {
        foreach (int hidden in (int[])[1, 5, 15, 16, 17, 100, 127, 128, 129, 300])
        {
            float[] wanted = [.. Enumerable.Range(0, hidden).Select(i => (i * 37 % 2032 - 1016) / 16f)];
            for (int first = 0; first < hidden; first += Group) wanted[first] = -127;
            float[] got = RoundTrip(RowType.Int8, wanted, 127, hidden);
            for (int i = 0; i < hidden; i++) Assert.Equal(MathF.Round(wanted[i], MidpointRounding.ToEven), got[i]);
        }
    }

    /// <summary>The scale of a group is its largest magnitude over the format's, whichever lane that is in.</summary>
    [Theory]
    [InlineData(RowType.Int8, 127)]
    [InlineData(RowType.Fp8, 448)]
    internal void The_largest_of_a_group_sets_its_scale(RowType type, float most)
    {
        for (int at = 0; at < Group; at++)
        {
            float[] row = [.. Enumerable.Repeat(0.25f, Group)];
            row[at] = -8;
            Assert.Equal(8 / most, Encode(type, row).Scales[0]);
        }
    }

    /// <summary>By the definition of the format: 4 bits of exponent with bias 7, 3 of mantissa, subnormals.</summary>
    private static float E4m3(byte bits)
    {
        int exponent = bits >> 3 & 15, mantissa = bits & 7;
        return exponent == 0 ? MathF.ScaleB(mantissa, -9) : MathF.ScaleB(8 + mantissa, exponent - 10);
    }

    /// <summary>Values in groups that begin with the format's largest, so that scales are 1.</summary>
    private static float[] RoundTrip(RowType type, float[] values, float most, int hidden)
    {
        if (hidden != Group) return Decode(type, Encode(type, values).Row, hidden);
        var got = new List<float>();
        foreach (float[] chunk in values.Chunk(Group - 1))
        {
            float[] row = [most, .. chunk];
            got.AddRange(Decode(type, Encode(type, row).Row, row.Length)[1..]);
        }
        return [.. got];
    }

    private static (byte[] Row, float[] Scales) Encode(RowType type, float[] values)
    {
        byte[] row = new byte[type.RowBytes(values.Length)];
        fixed (float* from = values)
        fixed (byte* to = row) RowCodec.Encode(type, from, to, values.Length);
        int scales = (values.Length + Group - 1) / Group;
        return (row, [.. Enumerable.Range(0, scales).Select(g => BitConverter.ToSingle(row, row.Length - (scales - g) * sizeof(float)))]);
    }

    private static float[] Decode(RowType type, byte[] row, int hidden)
    {
        float[] values = new float[hidden];
        fixed (byte* from = row)
        fixed (float* to = values) RowCodec.Decode(type, from, to, hidden);
        return values;
    }
}
