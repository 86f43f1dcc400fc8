using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>Sequences of random keys and values in paged blocks, and rows that ask them.</summary>
internal sealed unsafe class AttentionCase : IDisposable
{
    private readonly NativeBuffer _keys, _values;
    private readonly KvBlocks _kv;
    private readonly Attending _how;
    private readonly int[] _table;
    private readonly int _heads, _blocksPerSlot;
    private readonly float[] _queries;
    private readonly (int Slot, int Position)[] _rows;

    /// <summary>sequences: for each how long it is, and how many of its last positions ask.</summary>
    public AttentionCase(Values values, IKernels store, KvShape shape, ElementType type, int block, int heads, Attending how,
        (int Length, int Asking)[] sequences)
    {
        (_heads, _how) = (heads, how);
        _blocksPerSlot = sequences.Max(s => s.Length + block - 1) / block;
        int blocks = sequences.Length * _blocksPerSlot;
        _table = values.Distinct(blocks, blocks);
        _keys = new NativeBuffer(blocks * shape.KeyBytes(type, block));
        _values = new NativeBuffer(Math.Max(1, blocks * shape.ValueBytes(type, block)));
        // What lies in blocks that nobody wrote must not matter.
        new Span<byte>(_keys.Data, (int)_keys.Bytes).Fill(0xFF);
        new Span<byte>(_values.Data, (int)_values.Bytes).Fill(0xFF);
        _kv = new KvBlocks(_keys.Data, shape.ValuesInKeys ? null : _values.Data, type, block, shape);
        for (int slot = 0; slot < sequences.Length; slot++)
        {
            int length = sequences[slot].Length;
            float[] rows = shape.ValuesInKeys ? [] : values.Floats(length * shape.Heads * shape.ValueSize);
            store.StoreKv(_kv, View([.. Enumerable.Range(0, length).Select(p => (slot, p))]),
                values.Floats(length * shape.Heads * shape.KeySize), rows);
        }
        _rows = [.. sequences.SelectMany((s, slot) => Enumerable.Range(s.Length - s.Asking, s.Asking).Select(p => (slot, p)))];
        _queries = [.. values.Floats(_rows.Length * heads * shape.KeySize).Select(v => 4 * v)];
    }

    /// <summary>How many rows ask.</summary>
    public int Rows => _rows.Length;

    /// <summary>Values of a row's output.</summary>
    public int Width => _heads * _kv.ValueSize;

    /// <summary>A random case, with parts of sequences and tiles that begin, end and lack.</summary>
    public static AttentionCase Random(Values values, Random random, IKernels store, out string what)
    {
        (int kvHeads, int group) = (random.Next(1, 4), random.Next(1, 10));
        bool latent = random.Next(4) == 0;
        (int keySize, int valueSize) = (values.Size(70), values.Size(140));
        if (latent) (kvHeads, valueSize) = (1, Math.Min(keySize, valueSize));
        var shape = new KvShape(kvHeads, keySize, valueSize, latent);
        // Groups may be cut: the first lacks heads at its beginning, the last at its end.
        int lacking = random.Next(2) == 0 ? 0 : random.Next(group), heads = kvHeads * group - lacking;
        if (kvHeads > 1 && random.Next(2) == 0) heads -= random.Next(group);
        var how = new Attending(new HeadGroups(group, lacking), 0.3f)
        {
            Window = random.Next(2) == 0 ? 0 : values.Size(300),
            Sinks = random.Next(2) == 0 ? null : values.Weight(1, heads, values.PlainType()),
        };
        ElementType type = random.Next(2) == 0 ? ElementType.F32 : ElementType.BF16;
        (int, int)[] sequences = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ =>
        {
            int length = values.Size(600);
            return (length, random.Next(3) == 0 ? 1 : Math.Min(length, values.Size(24)));
        })];
        what = $"{heads} heads, {shape}, {how}, {type}, sequences {string.Join(' ', sequences)}";
        return new AttentionCase(values, store, shape, type, 16 * random.Next(1, 5), heads, how, sequences);
    }

    /// <summary>The outputs of some rows in one call, in their order.</summary>
    public float[] Attend(IKernels kernels, params int[] rows)
    {
        float[] output = [.. Enumerable.Repeat(float.NaN, rows.Length * Width)];
        int size = _heads * _kv.HeadSize;
        float[] queries = [.. rows.SelectMany(r => _queries.Skip(r * size).Take(size))];
        kernels.Attend(_kv, View([.. rows.Select(r => _rows[r])]), _how, queries, output);
        return output;
    }

    private KvRows View((int Slot, int Position)[] rows) => new()
    {
        Positions = rows.Select(r => r.Position).ToArray(), Slots = rows.Select(r => r.Slot).ToArray(), Blocks = _table,
        BlocksPerSlot = _blocksPerSlot,
    };

    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }
}
