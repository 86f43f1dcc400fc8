using BenchmarkDotNet.Attributes;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>Attention of 32 query heads over 4 key/value heads of 128: one row behind a context, or the rows of a prompt.</summary>
public class AttentionBenchmark : KernelBenchmark
{
    private const int Heads = 32, KvHeads = 4, Size = 128, Block = 32;
    private KvBlocks _kv;
    private int[] _table = [], _last = [], _all = [], _slots = [];
    private float[] _queries = [], _output = [];

    /// <summary>Positions.</summary>
    [Params(512, 4096)]
    public int Context { get; set; }

    /// <summary>How keys and values are kept.</summary>
    [Params(ElementType.F32, ElementType.BF16)]
    public ElementType Type { get; set; }

    /// <summary>Fills the cache.</summary>
    [GlobalSetup]
    public unsafe void Setup()
    {
        Open();
        int blocks = Context / Block;
        byte* keys = Inputs.Memory(blocks * KvBlocks.KeyBytes(Type, Block, KvHeads, Size));
        _kv = new KvBlocks(keys, Inputs.Memory(blocks * KvBlocks.ValueBytes(Type, Block, KvHeads, Size)), Type, Block, KvHeads, Size);
        _table = [.. Enumerable.Range(0, blocks).Reverse()];
        (_all, _last, _slots) = ([.. Enumerable.Range(0, Context)], [Context - 1], new int[Context]);
        float[] values = Inputs.Floats(Context * KvHeads * Size);
        Kernels.StoreKv(_kv, Rows(_all), values, values);
        (_queries, _output) = (Inputs.Floats(Context * Heads * Size), Inputs.Floats(Context * Heads * Size));
    }

    /// <summary>One row, the last.</summary>
    [Benchmark]
    public void Decode() => Kernels.Attend(_kv, Rows(_last), new HeadGroups(Heads / KvHeads), _queries.AsSpan(0, Heads * Size),
        _output.AsSpan(0, Heads * Size));

    /// <summary>All rows.</summary>
    [Benchmark]
    public void Prefill() => Kernels.Attend(_kv, Rows(_all), new HeadGroups(Heads / KvHeads), _queries, _output);

    private protected override Work Of(string method)
    {
        // A product for each score and one for each value; rows of a prompt see half of it on average.
        double scores = method == nameof(Decode) ? Context : Context * (Context + 1.0) / 2;
        return new Work(4 * scores * Heads * Size, 2.0 * Context * KvHeads * Size * Type.Size());
    }

    private KvRows Rows(int[] positions) => new()
    {
        Positions = positions, Slots = _slots.AsSpan(0, positions.Length), Blocks = _table, BlocksPerSlot = _table.Length,
    };
}
