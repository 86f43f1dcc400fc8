using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Xunit;

namespace Troupe.Devices.Tests.Tensors;

public sealed unsafe class StreamedTests
{
    /// <summary>All alignments of both ends, and sizes around lines: what was asked for is copied and nothing else is touched.</summary>
    [Fact]
    public void It_copies_what_was_asked_for_and_nothing_else()
    {
        using NativeBuffer from = new(1024), to = new(1024);
        for (int i = 0; i < 1024; i++) from.Data[i] = (byte)(i * 37 + 11);
        foreach (int bytes in (int[])[0, 1, 63, 64, 65, 127, 128, 200, 700])
        {
            for (int source = 0; source < 66; source += 13)
            {
                for (int target = 0; target < 130; target++)
                {
                    new Span<byte>(to.Data, 1024).Fill(0xEE);
                    Streamed.Copy(from.Data + source, to.Data + target, bytes);
                    Assert.True(new Span<byte>(to.Data + target, bytes).SequenceEqual(new Span<byte>(from.Data + source, bytes)));
                    Assert.False(new Span<byte>(to.Data, target).ContainsAnyExcept((byte)0xEE));
                    Assert.False(new Span<byte>(to.Data + target + bytes, 1024 - target - bytes).ContainsAnyExcept((byte)0xEE));
                }
            }
        }
    }

    [Theory]
    [InlineData(RowType.Fp32)]
    [InlineData(RowType.Bf16)]
    internal void Rows_are_encoded_alike_streamed_or_not(RowType type)
    {
        const int Hidden = 1003;
        using NativeBuffer values = NativeBuffer.OfFloats(Hidden), plain = new(8192), streamed = new(8192);
        for (int i = 0; i < Hidden; i++) ((float*)values.Data)[i] = MathF.Sin(i) * 1000;
        foreach (int offset in (int[])[0, 4, 64])
        {
            RowCodec.Encode(type, (float*)values.Data, plain.Data, Hidden);
            RowCodec.Encode(type, (float*)values.Data, streamed.Data + offset, Hidden, streamed: true);
            int bytes = type.RowBytes(Hidden);
            Assert.True(new Span<byte>(plain.Data, bytes).SequenceEqual(new Span<byte>(streamed.Data + offset, bytes)));
        }
    }
}
