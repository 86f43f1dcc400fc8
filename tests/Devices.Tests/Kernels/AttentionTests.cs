using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Kernels.Reference;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

public sealed class AttentionTests
{
    private const int Slots = 3, Width = 12;
    private readonly Random _random = Seed.For(nameof(AttentionTests));

    [Theory]
    [InlineData(4, 2, 32, 16, ElementType.F32)]
    [InlineData(4, 2, 32, 16, ElementType.BF16)]
    [InlineData(6, 3, 16, 32, ElementType.F32)]
    [InlineData(8, 1, 64, 16, ElementType.F32)]
    [InlineData(3, 3, 20, 48, ElementType.F32)] // one query head per key head; a width that is no multiple of 16
    [InlineData(5, 1, 80, 16, ElementType.BF16)]
    [InlineData(12, 2, 2, 16, ElementType.F32)]
    public void Attention_agrees_with_the_reference(int heads, int kvHeads, int headSize, int blockSize, ElementType type)
    {
        using var reference = new ReferenceDevice();
        using CpuDevice cpu = new(1), threads = new(3);
        float[] wanted = Run(reference.Kernels), got = Run(cpu.Kernels), shared = Run(threads.Kernels);
        float tolerance = type == ElementType.F32 ? 2e-5f : 1e-4f;
        for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], got[i], tolerance);
        Assert.Equal(got, shared);

        float[] Run(IKernels kernels)
        {
            var random = new Random(7);
            int blocks = Slots * Width;
            using var keys = new NativeBuffer(blocks * KvBlocks.KeyBytes(type, blockSize, kvHeads, headSize));
            using var values = new NativeBuffer(blocks * KvBlocks.ValueBytes(type, blockSize, kvHeads, headSize));
            // What lies in blocks that nobody wrote must not matter.
            unsafe
            {
                new Span<byte>(keys.Data, (int)keys.Bytes).Fill(0xFF);
                new Span<byte>(values.Data, (int)values.Bytes).Fill(0xFF);
                var kv = new KvBlocks(keys.Data, values.Data, type, blockSize, kvHeads, headSize);
                int[] table = [.. Enumerable.Range(0, blocks)];
                random.Shuffle(table);
                var all = new List<float>();
                int[] lengths = [1, 70, blockSize * 3];
                // The prompts in two steps each, then one more position for all sequences together.
                for (int slot = 0; slot < Slots; slot++)
                {
                    int cut = lengths[slot] / 3;
                    Step([.. Enumerable.Range(0, cut).Select(p => (p, slot))]);
                    Step([.. Enumerable.Range(cut, lengths[slot] - cut).Select(p => (p, slot))]);
                }
                Step([.. Enumerable.Range(0, Slots).Select(slot => (lengths[slot], slot))]);
                return [.. all];

                void Step((int Position, int Slot)[] rows)
                {
                    var view = new KvRows
                    {
                        Positions = rows.Select(r => r.Position).ToArray(), Slots = rows.Select(r => r.Slot).ToArray(), Blocks = table,
                        BlocksPerSlot = Width,
                    };
                    float[] output = [.. Enumerable.Repeat(float.NaN, rows.Length * heads * headSize)];
                    kernels.StoreKv(kv, view, Floats(rows.Length * kvHeads * headSize), Floats(rows.Length * kvHeads * headSize));
                    kernels.Attend(kv, view, [.. Floats(output.Length).Select(v => 3 * v)], output);
                    all.AddRange(output);
                }
            }

            float[] Floats(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
        }
    }

    [Fact]
    public void Scores_far_apart_leave_the_value_of_the_largest()
    {
        using var cpu = new CpuDevice(1);
        using NativeBuffer keys = new(4096), values = new(4096);
        KvBlocks kv;
        unsafe
        {
            kv = new KvBlocks(keys.Data, values.Data, ElementType.F32, 16, 1, 2);
        }
        // Key i is (i, 0) and value i is (i, -i), so that a query of (1000, 0) sees only the last, and of (-1000, 0) only the first.
        int[] positions = [.. Enumerable.Range(0, 16)];
        var rows = new KvRows { Positions = positions, Slots = new int[16], Blocks = (int[])[0], BlocksPerSlot = 1 };
        cpu.Kernels.StoreKv(kv, rows, [.. positions.SelectMany(i => (float[])[i, 0])], [.. positions.SelectMany(i => (float[])[i, -i])]);
        float sign = _random.Next(2) == 0 ? 1 : -1;
        float[] output = new float[32];
        cpu.Kernels.Attend(kv, rows, [.. positions.SelectMany(_ => (float[])[1000 * sign, 0])], output);
        foreach (int i in positions) Assert.Equal((sign > 0 ? i : 0, sign > 0 ? -i : 0), (output[2 * i], output[2 * i + 1]));
    }
}
