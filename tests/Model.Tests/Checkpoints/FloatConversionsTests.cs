using Troupe.Model.Checkpoints;
using Xunit;

namespace Troupe.Model.Tests.Checkpoints;

public sealed class FloatConversionsTests
{
    private static readonly ushort[] All = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];

    [Theory]
    [InlineData(65536)]
    [InlineData(65535)]
    [InlineData(17)]
    [InlineData(15)]
    [InlineData(0)]
    public void Every_f16_is_the_float_that_the_framework_makes_of_it(int count)
    {
        float[] got = new float[count];
        FloatConversions.FromF16(All.AsSpan(0, count), got);
        for (int i = 0; i < count; i++) Same((float)BitConverter.UInt16BitsToHalf(All[i]), got[i], i);
    }

    [Theory]
    [InlineData(65536)]
    [InlineData(65535)]
    [InlineData(17)]
    [InlineData(15)]
    [InlineData(0)]
    public void Every_bf16_is_the_float_of_the_same_upper_half(int count)
    {
        float[] got = new float[count];
        FloatConversions.FromBF16(All.AsSpan(0, count), got);
        for (int i = 0; i < count; i++) Same(BitConverter.Int32BitsToSingle(All[i] << 16), got[i], i);
    }

    [Fact]
    public void A_destination_that_is_too_short_is_an_error()
    {
        Assert.ThrowsAny<ArgumentException>(() => FloatConversions.FromBF16(All.AsSpan(0, 20), new float[19]));
        Assert.ThrowsAny<ArgumentException>(() => FloatConversions.FromF16(All.AsSpan(0, 20), new float[19]));
    }

    private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);

    private static void Same(float wanted, float got, int i)
    {
        if (float.IsNaN(wanted)) Assert.True(float.IsNaN(got), $"bits {i:x4}");
        else Assert.True(Bits(wanted) == Bits(got), $"bits {i:x4}: wanted {wanted}, got {got}");
    }
}
