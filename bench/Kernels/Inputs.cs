using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>Random inputs of kernels, the same in every run; owns the memory of the weights that it makes.</summary>
internal sealed unsafe class Inputs : IDisposable
{
    /// <summary>Copies of a weight take at least so many bytes together: more than any cache, as the weights of a model do.</summary>
    private const long Cold = 256L << 20;

    private readonly Random _random = new(20261122);
    private readonly List<NativeBuffer> _memory = [];

    /// <summary>Threads of the device: TROUPE_THREADS, else 1.</summary>
    public static int Threads { get; } = int.TryParse(Environment.GetEnvironmentVariable("TROUPE_THREADS"), out int given) ? given : 1;

    /// <summary>Values in [-1, 1).</summary>
    public float[] Floats(int count)
    {
        float[] values = GC.AllocateArray<float>(count, pinned: true);
        for (int i = 0; i < count; i++) values[i] = _random.NextSingle() * 2 - 1;
        return values;
    }

    /// <summary>One weight.</summary>
    public Weight Weight(int rows, int columns, ElementType type)
    {
        if (type.IsPanel())
        {
            Weight panels = Panels.View(Memory(Panels.Bytes(type, rows, columns)), type, rows, columns);
            Panels.Fill(panels, Weight(rows, columns, ElementType.F32), 0, rows, Memory);
            return panels;
        }
        byte* data = Memory(type == ElementType.MxFp4 ? (long)rows * columns / 2 : (long)rows * columns * type.Size());
        for (long i = 0; i < (long)rows * columns; i++)
        {
            if (type == ElementType.F32) ((float*)data)[i] = _random.NextSingle() * 2 - 1;
            else if (type == ElementType.BF16) ((ushort*)data)[i] = Elements.ToBf16(_random.NextSingle() * 2 - 1);
            else if (type == ElementType.Fp8) data[i] = (byte)(_random.Next(0x78) | (_random.Next(2) << 7)); // no NaN
            else data[i / 2] = (byte)_random.Next(256);
        }
        if (type.IsPlain()) return new Weight(data, type, rows, columns);
        return type == ElementType.MxFp4 ? MxFp4(data, rows, columns) : Fp8(data, rows, columns);
    }

    /// <summary>So many copies of a weight that a call finds none of the one that it takes in the caches.</summary>
    public Weight[] Copies(int rows, int columns, ElementType type, int least = 1)
    {
        Weight first = Weight(rows, columns, type);
        var copies = new Weight[(int)Math.Max(least, Cold / first.Bytes + 1)];
        copies[0] = first;
        for (int i = 1; i < copies.Length; i++) copies[i] = Copy(first);
        return copies;
    }

    /// <summary>Zeroed memory.</summary>
    public byte* Memory(long bytes)
    {
        var memory = new NativeBuffer(bytes);
        _memory.Add(memory);
        return memory.Data;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.ForEach(memory => memory.Dispose());

    private Weight MxFp4(byte* data, int rows, int columns)
    {
        int groups = columns / Elements.Group;
        byte* scales = Memory((long)rows * groups);
        for (int i = 0; i < rows * groups; i++) scales[i] = (byte)(127 - _random.Next(5));
        return new Weight(data, ElementType.MxFp4, rows, columns, columns / 2, scales, groups);
    }

    private Weight Fp8(byte* data, int rows, int columns)
    {
        (int down, int across) = ((rows + Elements.Block - 1) / Elements.Block, (columns + Elements.Block - 1) / Elements.Block);
        var scales = (float*)Memory((long)down * across * sizeof(float));
        for (int i = 0; i < down * across; i++) scales[i] = _random.NextSingle() / 200;
        return new Weight(data, ElementType.Fp8, rows, columns, columns, (byte*)scales, across * sizeof(float));
    }

    private Weight Copy(Weight of)
    {
        if (of.Type.IsPanel())
        {
            byte* panels = Memory(of.Bytes);
            Buffer.MemoryCopy(of.Data, panels, of.Bytes, of.Bytes);
            return Panels.View(panels, of.Type, of.Rows, of.Columns);
        }
        long bytes = of.Rows * of.RowBytes;
        byte* data = Memory(bytes);
        Buffer.MemoryCopy(of.Data, data, bytes, bytes);
        return new Weight(data, of.Type, of.Rows, of.Columns, of.RowBytes, of.Scales, of.ScaleBytes);
    }
}
