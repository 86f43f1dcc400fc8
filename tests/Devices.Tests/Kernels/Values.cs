using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>Random inputs of kernels; owns the memory of the weights it makes.</summary>
internal sealed unsafe class Values(Random random) : IDisposable
{
    private readonly List<NativeBuffer> _memory = [];

    /// <summary>A size from 1: often small, often a multiple of 16, sometimes odd.</summary>
    public int Size(int most) => random.Next(3) switch
    {
        0 => random.Next(1, Math.Min(most, 5) + 1),
        1 when most >= 16 => 16 * random.Next(1, most / 16 + 1),
        _ => random.Next(1, most + 1),
    };

    /// <summary>What weights can be on this machine.</summary>
    public static ElementType[] Types { get; } =
        [.. Enum.GetValues<ElementType>().Where(type => type != ElementType.PackedBf16 || CpuDevice.MultipliesBf16)];

    public ElementType Type() => Types[random.Next(Types.Length)];

    /// <summary>A type that may have so many columns.</summary>
    public ElementType Type(params ReadOnlySpan<int> columns)
    {
        ElementType type = Type();
        foreach (int count in columns)
            if (type == ElementType.MxFp4 && count % Elements.Group != 0) type = ElementType.Int4;
        return type;
    }

    public ElementType PlainType() => (ElementType)random.Next(3);

    public float[] Floats(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];

    /// <summary>What a kernel must overwrite.</summary>
    public float[] Garbage(int count) => [.. Enumerable.Repeat(float.NaN, count)];

    public int[] Ints(int count, int below) => [.. Enumerable.Range(0, count).Select(_ => random.Next(below))];

    public int[] Distinct(int below, int count)
    {
        int[] all = [.. Enumerable.Range(0, below)];
        random.Shuffle(all);
        return all[..count];
    }

    public Weight Weight(int rows, int columns) => Weight(rows, columns, Type(columns));

    /// <summary>A weight at an unaligned address with its end at the end of the memory.</summary>
    public Weight Weight(int rows, int columns, ElementType type)
    {
        if (type == ElementType.Fp8) return Fp8(rows, columns);
        if (!type.IsPlain()) return Grouped(rows, columns, type);
        byte* data = Memory((long)rows * columns * type.Size());
        for (int i = 0; i < rows * columns; i++)
        {
            float value = random.NextSingle() * 2 - 1;
            if (type == ElementType.F32) ((float*)data)[i] = value;
            else if (type == ElementType.F16) ((Half*)data)[i] = (Half)value;
            else ((ushort*)data)[i] = Elements.ToBf16(value);
        }
        return new Weight(data, type, rows, columns);
    }

    /// <summary>Panels made of random values, or random bits of mxfp4 with scales that bring their values near 1.</summary>
    private Weight Grouped(int rows, int columns, ElementType type)
    {
        int groups = (columns + Elements.Group - 1) / Elements.Group;
        if (type.IsPanel())
        {
            Weight from = Weight(rows, columns, ElementType.F32);
            if (type == ElementType.PackedBf16) Spread((float*)from.Data, (long)rows * columns);
            byte* panels = Memory(Panels.Bytes(type, rows, columns));
            Weight to = Panels.View(panels, type, rows, columns);
            Panels.Fill(to, from, 0, rows, Memory);
            return to;
        }
        long bytes = (long)rows * columns / 2;
        byte* data = Memory(bytes), scales = Memory((long)rows * groups);
        random.NextBytes(new Span<byte>(data, (int)bytes));
        for (int i = 0; i < rows * groups; i++) scales[i] = (byte)(127 - random.Next(5));
        return new Weight(data, type, rows, columns, columns / 2, scales, groups);
    }

    /// <summary>
    /// Gives values exponents as a coded panel finds them easy, or such that those which count are patches, or such that it stays plain.
    /// </summary>
    private void Spread(float* values, long count)
    {
        int kind = random.Next(3);
        for (long i = 0; kind > 0 && i < count; i++)
            values[i] = MathF.ScaleB(values[i], kind == 1 ? random.Next(1000) == 0 ? 0 : -20 : -random.Next(40));
    }

    /// <summary>Some rows and columns of a wider matrix of blocks.</summary>
    private Weight Fp8(int rows, int columns)
    {
        (int firstRow, int firstColumn) = (random.Next(200), 16 * random.Next(12));
        (int allRows, int allColumns) = (firstRow + rows, firstColumn + columns);
        (int blockRows, int blockColumns) = ((allRows + 127) / 128, (allColumns + 127) / 128);
        byte* data = Memory((long)allRows * allColumns);
        var scales = (float*)Memory((long)blockRows * blockColumns * sizeof(float));
        for (int i = 0; i < allRows * allColumns; i++)
            do data[i] = (byte)random.Next(256); while ((data[i] & 0x7F) == 0x7F);
        for (int i = 0; i < blockRows * blockColumns; i++) scales[i] = random.NextSingle() / 200;
        var whole = new Weight(
            data, ElementType.Fp8, allRows, allColumns, allColumns, (byte*)scales, blockColumns * sizeof(float));
        return random.Next(2) == 0
            ? whole.TakeRows(firstRow, rows).TakeColumns(firstColumn, columns)
            : whole.TakeColumns(firstColumn, columns).TakeRows(firstRow, rows);
    }

    private byte* Memory(long bytes)
    {
        var memory = new NativeBuffer(bytes + 2);
        _memory.Add(memory);
        return memory.Data + 2;
    }

    public void Dispose() => _memory.ForEach(memory => memory.Dispose());
}
