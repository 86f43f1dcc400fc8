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

    public ElementType Type() => (ElementType)random.Next(3);

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

    public Weight Weight(int rows, int columns) => Weight(rows, columns, Type());

    /// <summary>A weight at an unaligned address with its end at the end of the memory.</summary>
    public Weight Weight(int rows, int columns, ElementType type)
    {
        long bytes = (long)rows * columns * type.Size();
        var memory = new NativeBuffer(bytes + 2);
        _memory.Add(memory);
        byte* data = memory.Data + 2;
        for (int i = 0; i < rows * columns; i++)
        {
            float value = random.NextSingle() * 2 - 1;
            if (type == ElementType.F32) ((float*)data)[i] = value;
            else if (type == ElementType.F16) ((Half*)data)[i] = (Half)value;
            else ((ushort*)data)[i] = Elements.ToBf16(value);
        }
        return new Weight(data, type, rows, columns);
    }

    public void Dispose() => _memory.ForEach(memory => memory.Dispose());
}
