using System.Runtime.ExceptionServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Kernels;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Kernels.Reference;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Model.Sampling;

namespace Troupe.Model.Tests.Layers;

/// <summary>
/// A model cut into stages x members x tensor ranks inside one process: stages run one after the other, the ranks of a stage on threads of
/// their own. Each member is a replica with its own sequences, whose tensor ranks all run the same rows.
/// </summary>
internal sealed class TestCluster : IDisposable
{
    public const int MaxRows = 512, Slots = 4, Blocks = 160, BlockSize = 16;
    private readonly ModelShard[,] _shards; // [stage, member x tensor ranks + tensor rank]
    private readonly IDevice[,] _devices;
    private readonly InMemoryGroup[] _groups;
    private readonly BlockTable[] _tables;
    private readonly StepRows[] _rows;
    private readonly float[][] _hidden; // [rank of a stage]
    private readonly int _tensor;
    private long _step;

    public TestCluster(WeightSource source, ModelConfig config, Func<IDevice> device, int stages = 1, int members = 1,
        ElementType kv = ElementType.F32, Exchange? exchange = null, int tensor = 1, WeightForm weights = default)
    {
        (Config, _tensor, int ranks) = (config, tensor, members * tensor);
        _shards = new ModelShard[stages, ranks];
        _devices = new IDevice[stages, ranks];
        var placement = ExpertPlacement.Blocks(config.Experts, ranks);
        var options = new ShardOptions
        {
            KvType = kv, KvBlocks = Blocks, BlockSize = BlockSize, MaxRows = MaxRows, GroupSize = ranks, Weights = weights,
        };
        var shape = new All2AllShape(ShardOptions.MostOwnRows(MaxRows, tensor), config.HiddenSize, Math.Max(1, config.ExpertsPerToken),
            RowType.Fp32);
        _groups = [.. Enumerable.Range(0, stages).Select(_ =>
            new InMemoryGroup(placement, shape, exchange, tensor, ModelShard.TensorBytes(config, MaxRows, tensor)))];
        for (int s = 0; s < stages; s++)
            for (int r = 0; r < ranks; r++)
            {
                _devices[s, r] = device();
                ShardSpec spec = ShardSpec.Of(config, s, stages, placement, r, tensor);
                _shards[s, r] = ModelShard.Create(source, config, spec, _devices[s, r], options);
                if (tensor > 1) _shards[s, r].Join(_groups[s].Tensor(r));
            }
        InHalves = exchange?.Halves == true;
        _tables = [.. Enumerable.Range(0, members).Select(_ => new BlockTable(Slots, 40, Blocks, BlockSize))];
        _rows = [.. _tables.Select(table => new StepRows(MaxRows, table))];
        _hidden = [.. Enumerable.Range(0, ranks).Select(_ => new float[MaxRows * config.HiddenSize])];
    }

    public ModelConfig Config { get; }

    public IStepObserver? Observer { get; set; }

    /// <summary>Whether steps run in halves.</summary>
    public bool InHalves { get; set; }

    public static IDevice Reference() => new ReferenceDevice();

    public static IDevice Cpu() => new CpuDevice(1);

    public static IDevice CpuTwoThreads() => new CpuDevice(2);

    public ModelShard Shard(int stage, int member) => _shards[stage, member * _tensor];

    public StepRows Rows(int member = 0) => _rows[member];

    /// <summary>Gives a slot blocks that are neither consecutive nor in order.</summary>
    public void Place(int slot, int positions, int member = 0)
    {
        int count = (positions + BlockSize - 1) / BlockSize;
        int[] blocks = [.. Enumerable.Range(0, count).Select(i => (Blocks - 1 - slot - i * Slots) % Blocks)];
        _tables[member].Set(slot, blocks);
    }

    /// <summary>Runs the rows that members have; afterwards each rank's hidden states are those of the last stage.</summary>
    public void Step()
    {
        _step++;
        for (int stage = 0; stage < _shards.GetLength(0); stage++)
        {
            if (_hidden.Length == 1) Run(stage, 0);
            else RunTogether(stage);
        }
    }

    /// <summary>The hidden states of a member's rows after the last step, as one of its tensor ranks has them.</summary>
    public ReadOnlySpan<float> Hidden(int member = 0, int tensorRank = 0) =>
        _hidden[member * _tensor + tensorRank].AsSpan(0, _rows[member].Count * Config.HiddenSize);

    /// <summary>How often a rank of a stage, tensor ranks counted one by one, sent a row to an expert of a layer.</summary>
    public long Load(int stage, int rank, LayerIndex layer) => _shards[stage, rank].Load.Of(layer).ToArray().Sum();

    /// <summary>Logits of a row of the last step.</summary>
    public float[] Logits(int row, int member = 0)
    {
        float[] logits = new float[Config.VocabSize];
        if (_tensor > 1) return LogitsTogether(row, logits, member);
        Logits(row, logits, member);
        return logits;
    }

    public void Logits(int row, Span<float> logits, int member = 0) => LogitsOn(0, row, logits, member);

    /// <summary>Feeds tokens from a position on, in chunks, and returns the logits of every row.</summary>
    public List<float[]> Feed(ReadOnlySpan<int> tokens, int from = 0, int slot = 0, int chunk = MaxRows, int member = 0)
    {
        var all = new List<float[]>();
        for (int start = 0; start < tokens.Length; start += chunk)
        {
            foreach (StepRows rows in _rows) rows.Clear();
            for (int i = start; i < Math.Min(start + chunk, tokens.Length); i++) _rows[member].Add(tokens[i], from + i, slot);
            Step();
            for (int row = 0; row < _rows[member].Count; row++) all.Add(Logits(row, member));
        }
        return all;
    }

    /// <summary>The next tokens, most likely each, after a prompt.</summary>
    public int[] Greedy(ReadOnlySpan<int> prompt, int count, int slot = 0, int member = 0)
    {
        Place(slot, prompt.Length + count, member);
        int[] tokens = new int[count];
        float[] logits = Feed(prompt, slot: slot, member: member)[^1];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = Sampler.ArgMax(logits);
            if (i + 1 < count) logits = Feed([tokens[i]], prompt.Length + i, slot, member: member)[0];
        }
        return tokens;
    }

    public void Dispose()
    {
        foreach (ModelShard shard in _shards) shard.Dispose();
        foreach (IDevice device in _devices) device.Dispose();
        foreach (InMemoryGroup group in _groups) group.Dispose();
    }

    private static void Together(int count, Action<int> body)
    {
        var failures = new Exception?[count];
        Thread[] threads = [.. Enumerable.Range(0, count).Select(index => new Thread(() =>
        {
            try
            {
                body(index);
            }
            catch (Exception e)
            {
                failures[index] = e;
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (failures.FirstOrDefault(e => e is not null) is { } failure) ExceptionDispatchInfo.Throw(failure);
    }

    private void RunTogether(int stage) => Together(_hidden.Length, rank => Run(stage, rank));

    private float[] LogitsTogether(int row, float[] logits, int member)
    {
        Together(_tensor, rank => LogitsOn(rank, row, rank == 0 ? logits : [], member));
        return logits;
    }

    private void LogitsOn(int tensorRank, int row, Span<float> logits, int member) =>
        _shards[_shards.GetLength(0) - 1, member * _tensor + tensorRank].Logits(Hidden(member, tensorRank), [row], logits);

    private void Run(int stage, int rank)
    {
        StepRows rows = _rows[rank / _tensor];
        Span<float> hidden = _hidden[rank].AsSpan(0, rows.Count * Config.HiddenSize);
        if (stage == 0) _shards[0, rank].Embed(rows, hidden);
        _shards[stage, rank].RunLayers(rows, hidden, _groups[stage][rank], new Epoch(1), new StepId(_step), Observer,
            secondHalf: InHalves ? _groups[stage].Second(rank) : null);
    }
}
