using System.Runtime.InteropServices;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>
/// Products on tiles beside products by hand: the emitted bytes interpreted everywhere, and run as they are where the processor can.
/// </summary>
public sealed unsafe class AmxTilesTests(ITestOutputHelper output)
{
    // What y holds beforehand: no product.
    private const uint Untouched = 0xFFC0_1234;
    private const int Outputs = AmxTiles.Outputs;

    private sealed record Product(int Rows, int Columns, int Panels, int XStride, int YStride, ushort[] X, ushort[] W)
    {
        public float XOf(int r, int k) => ToFloat(X[r * XStride + k]);

        public float WOf(int n, int k) => ToFloat(W[((n / Outputs * Columns / 2 + k / 2) * Outputs + n % Outputs) * 2 + k % 2]);

        public Product Take(int first, int rows) => this with { Rows = rows, X = X[(first * XStride)..] };
    }

    public static TheoryData<int, int, int> Shapes
    {
        get
        {
            var shapes = new TheoryData<int, int, int>();
            for (int rows = 1; rows <= 70; rows++) shapes.Add(rows, 32 * (1 + rows % 3), 1 + rows % 2);
            foreach (int rows in (int[])[1, 15, 16, 17, 31, 32, 33, 47, 48, 64, 65, 70])
            {
                shapes.Add(rows, 1056, 1);
                shapes.Add(rows, 320, 5);
            }
            shapes.Add(161, 64, 2);
            shapes.Add(1025, 32, 1);
            return shapes;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Interpreted_loops_multiply_and_touch_nothing_else(int rows, int columns, int panels)
    {
        Random random = Seed.For($"{nameof(Interpreted_loops_multiply_and_touch_nothing_else)} {rows} {columns} {panels}");
        Product product = Make(random, rows, columns, panels);
        Compare(product, Interpret(product, random, random.Next(2) * 4096));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Loops_on_this_processor_multiply_and_touch_nothing_else(int rows, int columns, int panels)
    {
        output.WriteLine(AmxTiles.WhyNot is { } why ? $"not run: {why}" : AmxSupport.IsEmulated ? "emulated" : "on the AMX tiles");
        if (!AmxTiles.IsSupported) return;
        Product product = Make(Seed.For($"native {rows} {columns} {panels}"), rows, columns, panels);
        Compare(product, Native(product));
    }

    [Fact]
    public void A_row_has_the_same_bits_in_any_company()
    {
        Random random = Seed.For(nameof(A_row_has_the_same_bits_in_any_company));
        Product all = Make(random, 70, 352, 2);
        int outputs = all.Panels * Outputs;
        Func<Product, uint[]>[] ways = AmxTiles.IsSupported ? [p => Interpret(p, random, 0), Native] : [p => Interpret(p, random, 0)];
        foreach (Func<Product, uint[]> way in ways)
        {
            uint[] whole = way(all);
            foreach (int rows in (int[])[1, 2, 16, 17, 33, 40, 64])
            {
                int first = random.Next(all.Rows - rows + 1);
                uint[] part = way(all.Take(first, rows));
                for (int r = 0; r < rows; r++)
                    Assert.Equal(whole[((first + r) * all.YStride)..][..outputs], part[(r * all.YStride)..][..outputs]);
            }
        }
    }

    [Fact]
    public void Threads_have_tiles_of_their_own()
    {
        if (!AmxTiles.IsSupported) return;
        Product product = Make(Seed.For(nameof(Threads_have_tiles_of_their_own)), 37, 256, 3);
        uint[] alone = Native(product);
        uint[][] found = new uint[4][];
        Thread[] threads = [.. Enumerable.Range(0, found.Length).Select(i => new Thread(() =>
        {
            for (int turn = 0; turn < 10; turn++) found[i] = Native(product.Take(i, product.Rows - i));
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        for (int i = 0; i < found.Length; i++)
            Assert.Equal(alone[(i * product.YStride)..(product.Rows * product.YStride)], found[i][..^64]);
    }

    [Fact]
    public void Denormals_count_as_zero_and_infinities_stay()
    {
        Product product = Make(Seed.For(nameof(Denormals_count_as_zero_and_infinities_stay)), 3, 32, 1);
        Array.Fill(product.X, (ushort)0x3F80);
        Array.Clear(product.W);
        product.W[0] = 0x0040; // a denormal: output 0
        product.W[2] = 0x7F80; // infinity: output 1
        product.W[4] = 0x3F80; // 1: output 2
        foreach (uint[] y in (uint[][])[Interpret(product, new Random(1), 0), AmxTiles.IsSupported ? Native(product) : []])
            if (y.Length > 0) Assert.Equal([0, 0x7F80_0000, 0x3F80_0000, 0], y[..4]);
    }

    [Fact]
    public void No_rows_and_no_panels_are_no_call() => AmxTiles.Rows(0, null, 0, null, 32, 0, null, 0);

    private static Product Make(Random random, int rows, int columns, int panels)
    {
        int xStride = columns + 32 * random.Next(3), yStride = panels * Outputs + random.Next(3) * 5;
        ushort[] x = new ushort[rows * xStride], w = new ushort[panels * Outputs * columns];
        foreach (ushort[] values in (ushort[][])[x, w])
            for (int i = 0; i < values.Length; i++) values[i] = Elements.ToBf16(random.NextSingle() * 2 - 1);
        return new Product(rows, columns, panels, xStride, yStride, x, w);
    }

    // The bits of all of y, with what lies between its rows. Code may read the rows of x, and write those of y.
    private static uint[] Interpret(Product p, Random random, int ahead)
    {
        uint[] y = Garbage(p);
        fixed (ushort* x = p.X, w = p.W)
        fixed (uint* to = y)
        {
            bool tall = AmxTiles.Fill(out AmxCode.Call call, p.Rows, x, p.XStride, (byte*)w, p.Columns, p.Panels, (float*)to, p.YStride);
            var memory = new GuardedMemory();
            memory.Allow(&call, sizeof(AmxCode.Call), "call");
            memory.Allow(w, p.W.Length * sizeof(ushort), "w");
            for (int r = 0; r < p.Rows; r++)
            {
                memory.Allow(x + r * p.XStride, p.Columns * sizeof(ushort), $"x {r}");
                memory.Allow(to + r * p.YStride, p.Panels * Outputs * sizeof(float), $"y {r}", writable: true);
            }
            new TileMachine(AmxCode.Emit(tall, ahead), memory, random).Call(&call);
        }
        return y;
    }

    private static uint[] Native(Product p)
    {
        uint[] y = Garbage(p);
        fixed (ushort* x = p.X, w = p.W)
        fixed (uint* to = y)
            AmxTiles.Rows(p.Rows, x, p.XStride, (byte*)w, p.Columns, p.Panels, (float*)to, p.YStride);
        return y;
    }

    private static uint[] Garbage(Product p)
    {
        uint[] y = new uint[p.Rows * p.YStride + 64];
        Array.Fill(y, Untouched);
        return y;
    }

    // Products of bf16 are exact in double; each addition of fp32 may be off by half a unit of the largest sum it can make.
    private static void Compare(Product p, uint[] y)
    {
        int outputs = p.Panels * Outputs;
        for (int i = 0; i < y.Length; i++)
        {
            (int r, int n) = (i / p.YStride, i % p.YStride);
            if (r >= p.Rows || n >= outputs)
            {
                Assert.True(y[i] == Untouched, $"y[{r}, {n}] was written");
                continue;
            }
            double sum = 0, size = 0;
            for (int k = 0; k < p.Columns; k++)
            {
                double product = (double)p.XOf(r, k) * p.WOf(n, k);
                sum += product;
                size += Math.Abs(product);
            }
            float got = BitConverter.UInt32BitsToSingle(y[i]);
            Assert.True(Math.Abs(got - sum) <= size * p.Columns * Math.Pow(2, -24), $"y[{r}, {n}] is {got}, {sum} by hand");
        }
    }

    private static float ToFloat(ushort bits) => BitConverter.Int32BitsToSingle(bits << 16);
}
