using Troupe.Devices.All2All;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;

namespace Troupe.Model.Layers;

/// <summary>
/// The part of a model that one rank runs: its stage's layers with its own experts, their KV cache and activations. One thread at a time.
/// The device and the weights' memory are borrowed and must outlive it.
/// </summary>
public sealed class ModelShard : IDisposable
{
    /// <summary>Rows whose logits are made at once, where tensor ranks make them together.</summary>
    public const int LogitRows = 16;

    private readonly DecoderLayer[] _layers;
    private readonly Weight _embedding, _head, _finalNorm;
    private readonly LayerContext _context;
    private readonly Workspace _room;
    private readonly IReadOnlyList<NativeBuffer> _owned;
    private readonly RotaryPositions _rotary;

    private ModelShard(
        WeightSource source, ModelConfig config, ShardSpec spec, IDevice device, ShardOptions options, Action<LoadProgress>? progress)
    {
        (Config, Spec, Options) = (config, spec, options);
        var weights = new WeightReader(source) { Form = options.Weights, Threads = device.Threads };
        int parts = spec.Layers + (spec.Embedding ? 1 : 0) + (spec.Head ? 1 : 0), part = 0;
        void Report()
        {
            weights.Fill();
            progress?.Invoke(new LoadProgress(++part, parts, weights.Bytes));
        }


        if (spec.Embedding)
        {
            _embedding = weights.Table(Parts.Embedding, config.VocabSize, config.HiddenSize, spec.Split.Vocabulary);
            Report();
        }
        _layers = new DecoderLayer[spec.Layers];
        for (int i = 0; i < _layers.Length; i++)
        {
            _layers[i] = KnownFamilies.Of(config).Layer(new LayerWeights(weights, config, spec, new LayerIndex(spec.First.Value + i)));
            Report();
        }
        if (spec.Head)
        {
            _finalNorm = weights.Vector(Parts.FinalNorm, config.HiddenSize);
            _head = weights.Outputs(config.TieWordEmbeddings ? Parts.Embedding : Parts.Head, config.VocabSize, config.HiddenSize,
                spec.Split.Vocabulary);
            Report();
        }
        weights.Seal();
        WeightBytes = weights.Bytes;
        // By now the tensors have vouched for the sizes that config.json says.
        _room = new Workspace(config, spec, options);
        _owned = weights.Owned;
        Cache = new PagedKvCache(spec.Layers, options.KvType, options.KvBlocks, options.BlockSize, config.Kv(spec.Split.KvHeads.Count));
        Load = new ExpertLoad(spec.First, spec.Layers, config.Experts);
        _rotary = new RotaryPositions(config.Rope);
        _context = new LayerContext(device.Kernels, _room, Cache, Load, spec.First);
        if (spec.Split.Ranks == 1) _context.Tensor = new TensorRanks(spec.Split, config.VocabSize, null);
    }

    /// <summary>Maps the shard's own tensors and makes everything that a step needs.</summary>
    /// <exception cref="ModelException">A tensor is missing or has another type or shape; the message names it.</exception>
    public static ModelShard Create(
        WeightSource source, ModelConfig config, ShardSpec spec, IDevice device, ShardOptions options,
        Action<LoadProgress>? progress = null) =>
        new(source, config, spec, device, options, progress);

    /// <summary>The whole model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>Which part this is.</summary>
    public ShardSpec Spec { get; }

    /// <summary>What it was made for.</summary>
    public ShardOptions Options { get; }

    /// <summary>Bytes of the weights it computes with; a tied head is the embedding and counts once.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes of weights, KV cache and activations.</summary>
    public long BytesHeld => WeightBytes + Cache.Bytes + _room.Bytes;

    /// <summary>Keys and values of its layers.</summary>
    public PagedKvCache Cache { get; }

    /// <summary>How often own rows chose each expert.</summary>
    public ExpertLoad Load { get; }

    /// <summary>Whether a layer of this stage has routed experts, so that a step needs a way to reach them.</summary>
    public bool HasExperts => Enumerable.Range(Spec.First.Value, Spec.Layers).Any(Config.IsMoeLayer);

    /// <summary>
    /// Makes the other tensor ranks known, in their order; before the first step, where there are any. Their windows must have room for
    /// <see cref="TensorBytes"/>.
    /// </summary>
    public void Join(ICommunicator tensorRanks) => _context.Tensor = new TensorRanks(Spec.Split, Config.VocabSize, tensorRanks);

    /// <summary>The most bytes that a tensor rank sends to another in one collective, where steps have so many rows.</summary>
    public static long TensorBytes(ModelConfig config, int maxRows, int tensorRanks) =>
        TensorRanks.MostBytes(maxRows, config.HiddenSize, config.VocabSize, tensorRanks);

    /// <summary>
    /// Hidden states of the rows' tokens, on all tensor ranks together: each fills in the rows of its part of the vocabulary, and the sum
    /// with the zeros of the others has them all. hidden: [T, H].
    /// </summary>
    public void Embed(StepRows rows, Span<float> hidden)
    {
        if (!Spec.Embedding) throw new InvalidOperationException("this shard has no embedding: only the first stage embeds");
        if (_context.Tensor.Alone)
        {
            _context.Kernels.Gather(_embedding, rows.TokenIds, hidden);
            return;
        }
        (Part own, int width) = (Spec.Split.Vocabulary, Config.HiddenSize);
        for (int row = 0; row < rows.Count; row++)
        {
            int id = rows.TokenIds[row] - own.First;
            Span<float> at = hidden.Slice(row * width, width);
            if (own.Has(rows.TokenIds[row])) _context.Kernels.Gather(_embedding, new ReadOnlySpan<int>(in id), at);
            else at.Clear();
        }
        _context.Tensor.Sum(hidden);
    }

    /// <summary>
    /// All layers of the stage over the rows of one micro-batch; hidden: [T, H], changed in place. T may be 0: the rank then only serves
    /// its experts. The observer hears of each phase. <paramref name="leave"/> asks the group to leave its lease. With
    /// <paramref name="secondHalf"/> routed experts run in two halves of the rows, one of which travels while the other is computed; on
    /// all ranks of the group or on none. It needs room for half of the rows, rounded down.
    /// </summary>
    /// <exception cref="NonFiniteException">A hidden state became infinite or NaN; names the layer.</exception>
    public void RunLayers(StepRows rows, Span<float> hidden, IAll2All? all2All, Epoch epoch, StepId step, IStepObserver? observer = null,
        bool leave = false, IAll2All? secondHalf = null)
    {
        if (rows.Count > Options.MaxRows) throw new ArgumentException($"the shard was made for {Options.MaxRows} rows, got {rows.Count}");
        if (rows.Table.Blocks > Options.KvBlocks || rows.Table.BlockSize != Options.BlockSize)
            throw new ArgumentException($"the cache has {Options.KvBlocks} blocks of {Options.BlockSize}, the rows' table is for "
                + $"{rows.Table.Blocks} of {rows.Table.BlockSize}");
        (_context.Rows, _context.All2All, _context.Observer, _context.Epoch, _context.Step) = (rows, all2All, observer, epoch, step);
        (_context.Leave, _context.Verdict, _context.SecondHalf) = (leave, null, secondHalf);
        int angles = rows.Count * Config.Rope.Width / 2;
        _rotary.Fill(rows.Positions, _room.Cos.Floats(angles), _room.Sin.Floats(angles));
        foreach (DecoderLayer layer in _layers) layer.Forward(_context, hidden);
    }

    /// <summary>What the group said in the first dispatch of the last step; null where the stage has no routed experts.</summary>
    public StepVerdict? Verdict => _context.Verdict;

    /// <summary>
    /// Logits of some rows. hidden: [T, H]; rows: [n] indexes into it; logits: [n, V]. Tensor ranks make them together, of at most
    /// <see cref="LogitRows"/> rows, and the first of them has them: for the others there is nothing to pass.
    /// </summary>
    public void Logits(ReadOnlySpan<float> hidden, ReadOnlySpan<int> rows, Span<float> logits)
    {
        if (!Spec.Head) throw new InvalidOperationException("this shard has no head: only the last stage has logits");
        if (rows.Length > Options.MaxRows) throw new ArgumentException($"the shard was made for {Options.MaxRows} rows, got {rows.Length}");
        int width = Config.HiddenSize;
        Span<float> chosen = _room.Mixed.Floats(rows.Length * width); // [n, H]
        for (int i = 0; i < rows.Length; i++) hidden.Slice(rows[i] * width, width).CopyTo(chosen[(i * width)..]);
        _context.Kernels.RmsNorm(chosen, _finalNorm, (float)Config.RmsNormEps, chosen);
        if (_context.Tensor.Alone)
        {
            _context.Kernels.Linear(chosen, _head, logits);
            return;
        }
        _context.Kernels.Linear(chosen, _head, _context.Tensor.LogitsPart(rows.Length));
        _context.Tensor.GatherLogits(rows.Length, logits);
    }

    /// <summary>Gives cache, activations and the weights that were copied back.</summary>
    public void Dispose()
    {
        _context.Tensor?.Dispose();
        Cache.Dispose();
        _room.Dispose();
        foreach (NativeBuffer copy in _owned) copy.Dispose();
    }
}
