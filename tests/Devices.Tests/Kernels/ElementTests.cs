using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

public sealed class ElementTests
{
    [Fact]
    public void Every_16_bit_value_is_read_as_it_is()
    {
        using var device = new CpuDevice(1);
        using var memory = new NativeBuffer(65536 * 2);
        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.F16])
        {
            Weight weight;
            unsafe
            {
                for (int i = 0; i < 65536; i++) ((ushort*)memory.Data)[i] = (ushort)i;
                weight = new Weight(memory.Data, type, 65536 / 16, 16);
            }
            // One lane at a time: a vector with a single one in it picks a column.
            for (int lane = 0; lane < 16; lane++)
            {
                float[] x = new float[16], y = new float[weight.Rows];
                x[lane] = 1;
                device.Kernels.Linear(x, weight, y);
                for (int row = 0; row < weight.Rows; row++)
                {
                    float wanted = weight[row, lane];
                    // A row with an infinite or NaN neighbour has NaN: 0 times infinity.
                    if (Enumerable.Range(0, 16).All(c => float.IsFinite(weight[row, c]))) Assert.Equal(wanted, y[row]);
                    else Assert.False(float.IsFinite(y[row]));
                }
            }
        }
    }

    [Fact]
    public void Bf16_rounds_to_nearest_even_and_back_is_exact()
    {
        for (int bits = 0; bits < 65536; bits++)
        {
            float value = Elements.FromBf16((ushort)bits);
            if (float.IsNaN(value)) Assert.True(float.IsNaN(Elements.FromBf16(Elements.ToBf16(value))));
            else Assert.Equal(bits, Elements.ToBf16(value));
        }
        // Halfway between 0x3F80 and 0x3F81 goes to the even one, as does halfway between 0x3F81 and 0x3F82; a bit more goes up.
        Assert.Equal(0x3F80, Elements.ToBf16(BitConverter.UInt32BitsToSingle(0x3F80_8000)));
        Assert.Equal(0x3F82, Elements.ToBf16(BitConverter.UInt32BitsToSingle(0x3F81_8000)));
        Assert.Equal(0x3F81, Elements.ToBf16(BitConverter.UInt32BitsToSingle(0x3F80_8001)));
        Assert.Equal(0x7F80, Elements.ToBf16(float.MaxValue));
    }

    [Fact]
    public void A_buffer_is_zeroed_aligned_bounded_and_dies_once()
    {
        var buffer = NativeBuffer.OfFloats(33);
        Assert.All(buffer.Floats(33).ToArray(), value => Assert.Equal(0, value));
        unsafe
        {
            Assert.Equal(0, (long)buffer.Data % 64);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => { buffer.Floats(34); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { buffer.Floats(-1); });
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { buffer.Floats(1); });
    }

    [Fact]
    public void A_device_of_no_threads_is_refused_and_a_device_ends_its_threads_once()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuDevice(0));
        var device = new CpuDevice(4);
        Assert.Equal(4, device.Threads);
        Assert.Matches("4 threads", device.Name);
        device.Dispose();
        device.Dispose();
    }

    [Fact]
    public void Many_devices_that_share_few_cores_all_finish()
    {
        // More threads than cores, parked and woken in turn: each device's results must be those of one thread.
        using var alone = new CpuDevice(1);
        using NativeBuffer memory = new(512 * 512 * 2);
        Weight weight;
        unsafe
        {
            for (int i = 0; i < 512 * 512; i++) ((ushort*)memory.Data)[i] = Elements.ToBf16(i % 37 - 18);
            weight = new Weight(memory.Data, ElementType.BF16, 512, 512);
        }
        float[] x = [.. Enumerable.Range(0, 8 * 512).Select(i => i % 23 - 11f)], wanted = new float[8 * 512];
        alone.Kernels.Linear(x, weight, wanted);
        var wrong = new int[4];
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            using var device = new CpuDevice(3);
            float[] y = new float[8 * 512];
            for (int round = 0; round < 200; round++)
            {
                Array.Clear(y);
                device.Kernels.Linear(x, weight, y);
                if (!y.AsSpan().SequenceEqual(wanted)) wrong[t]++;
                if (round % 50 == 49) Thread.Yield();
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) Assert.True(thread.Join(TimeSpan.FromSeconds(60)), "a device hangs");
        Assert.Equal([0, 0, 0, 0], wrong);
    }
}
