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
                    kernels.Attend(kv, view, HeadGroups.Even(heads, kvHeads), [.. Floats(output.Length).Select(v => 3 * v)], output);
                    all.AddRange(output);
                }
            }

            float[] Floats(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
        }
    }

    [Theory]
    [InlineData(1, 12, 6)]
    [InlineData(3, 3, 2)]
    [InlineData(2, 6, 5)]
    public void Heads_of_groups_that_are_cut_get_the_bits_that_they_get_among_all_heads(int first, int count, int group)
    {
        const int heads = 15, size = 16, rows = 20;
        using var cpu = new CpuDevice(1);
        using var reference = new ReferenceDevice();
        int kvHeads = (heads + group - 1) / group;
        float[] k = Floats(rows * kvHeads * size), v = Floats(k.Length), q = Floats(rows * heads * size);
        float[] whole = Run(cpu.Kernels, 0, heads), part = Run(cpu.Kernels, first, count), wanted = Run(reference.Kernels, first, count);
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> among = whole.AsSpan((row * heads + first) * size, count * size);
            Assert.True(among.SequenceEqual(part.AsSpan(row * count * size, count * size)), $"row {row} differs");
        }
        for (int i = 0; i < part.Length; i++) Assert.Equal(wanted[i], part[i], 2e-5f);

        unsafe float[] Run(IKernels kernels, int from, int some)
        {
            (int kvFrom, int kvSome) = (from / group, (from + some - 1) / group - from / group + 1);
            using var keys = new NativeBuffer(2 * KvBlocks.KeyBytes(ElementType.F32, 16, kvSome, size));
            using var values = new NativeBuffer(2 * KvBlocks.ValueBytes(ElementType.F32, 16, kvSome, size));
            var kv = new KvBlocks(keys.Data, values.Data, ElementType.F32, 16, kvSome, size);
            var view = new KvRows
            {
                Positions = Enumerable.Range(0, rows).ToArray(), Slots = new int[rows], Blocks = (int[])[1, 0], BlocksPerSlot = 2,
            };
            float[] output = new float[rows * some * size];
            kernels.StoreKv(kv, view, Heads(k, kvHeads, kvFrom, kvSome), Heads(v, kvHeads, kvFrom, kvSome));
            kernels.Attend(kv, view, new HeadGroups(group, from % group), Heads(q, heads, from, some), output);
            return output;
        }

        float[] Heads(float[] all, int of, int from, int some) =>
            [.. Enumerable.Range(0, rows).SelectMany(row => all.Skip((row * of + from) * size).Take(some * size))];

        float[] Floats(int length) => [.. Enumerable.Range(0, length).Select(_ => _random.NextSingle() * 2 - 1)];
    }

    [Fact]
    public void Attention_of_any_shape_agrees_with_the_reference()
    {
        using var values = new Values(_random);
        using var reference = new ReferenceDevice();
        using CpuDevice cpu = new(1), threads = new(3);
        for (int round = 0; round < 24; round++)
        {
            using AttentionCase asked = AttentionCase.Random(values, _random, cpu.Kernels, out string what);
            int[] rows = [.. Enumerable.Range(0, asked.Rows)];
            Agree(asked.Attend(reference.Kernels, rows), asked.Attend((round % 2 == 0 ? cpu : threads).Kernels, rows), what);
        }
    }

    [Theory]
    [InlineData(1, 4, 64, 64, false, 0)]
    [InlineData(2, 8, 48, 128, false, 0)]
    [InlineData(1, 20, 72, 64, true, 0)]
    [InlineData(2, 1, 32, 32, false, 700)]
    public void A_long_sequence_is_shared_by_threads(int kvHeads, int group, int keySize, int valueSize, bool latent, int window)
    {
        using var values = new Values(_random);
        using var reference = new ReferenceDevice();
        using CpuDevice cpu = new(1), threads = new(4);
        var how = new Attending(new HeadGroups(group), 0.2f) { Window = window };
        var shape = new KvShape(kvHeads, keySize, valueSize, latent);
        foreach (ElementType type in (ElementType[])[ElementType.F32, ElementType.BF16])
        {
            using var asked = new AttentionCase(values, cpu.Kernels, shape, type, 32, kvHeads * group, how, [(1500, 2), (90, 1)]);
            float[] shared = asked.Attend(threads.Kernels, 0, 1, 2);
            Agree(asked.Attend(reference.Kernels, 0, 1, 2), shared, $"{type}");
            Assert.Equal(asked.Attend(cpu.Kernels, 0, 1, 2), shared);
        }
    }

    [Fact]
    public void A_call_allocates_nothing_once_there_is_room()
    {
        using var values = new Values(_random);
        using var cpu = new CpuDevice(2);
        using NativeBuffer keys = new(64 * 1024), kept = new(64 * 1024);
        KvBlocks kv;
        unsafe
        {
            kv = new KvBlocks(keys.Data, kept.Data, ElementType.F32, 16, 1, 16);
        }
        int[] positions = [700, 701], slots = [0, 0], blocks = [.. Enumerable.Range(0, 44)];
        var rows = new KvRows { Positions = positions, Slots = slots, Blocks = blocks, BlocksPerSlot = 44 };
        float[] queries = values.Floats(2 * 16 * 16), output = new float[queries.Length];
        for (int i = 0; i < 3; i++) cpu.Kernels.Attend(kv, rows, new HeadGroups(16), queries, output);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++) cpu.Kernels.Attend(kv, rows, new HeadGroups(16), queries, output);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static void Agree(float[] wanted, float[] got, string what)
    {
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(MathF.Abs(wanted[i] - got[i]) <= 1e-4f, $"{what}: value {i} is {got[i]}, wanted {wanted[i]}");
    }

    [Fact]
    public void A_value_that_is_not_finite_reaches_only_the_rows_that_see_it()
    {
        using var cpu = new CpuDevice(1);
        using NativeBuffer keys = new(4096), values = new(4096);
        KvBlocks kv;
        unsafe
        {
            kv = new KvBlocks(keys.Data, values.Data, ElementType.F32, 16, 1, 16);
        }
        int[] positions = [.. Enumerable.Range(0, 12)];
        var rows = new KvRows { Positions = positions, Slots = new int[12], Blocks = (int[])[0], BlocksPerSlot = 1 };
        float[] k = new float[12 * 16], v = new float[12 * 16], output = new float[12 * 16];
        k[7 * 16] = float.NaN;
        v[5 * 16] = float.PositiveInfinity;
        k.AsSpan(0, 7 * 16).Fill(1);
        cpu.Kernels.StoreKv(kv, rows, k, v);
        cpu.Kernels.Attend(kv, rows, new HeadGroups(1), [.. Enumerable.Repeat(1f, output.Length)], output);
        foreach (int i in positions) Assert.Equal(i < 5 ? 0f : i < 7 ? float.PositiveInfinity : float.NaN, output[i * 16]);
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
        cpu.Kernels.Attend(kv, rows, new HeadGroups(1), [.. positions.SelectMany(_ => (float[])[1000 * sign, 0])], output);
        foreach (int i in positions) Assert.Equal((sign > 0 ? i : 0, sign > 0 ? -i : 0), (output[2 * i], output[2 * i + 1]));
    }
}
