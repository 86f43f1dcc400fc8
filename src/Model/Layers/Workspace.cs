using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Layers;

/// <summary>
/// The activations of a step, shared by all layers and made once for the largest step. T own rows, N received rows, H hidden, D head width,
/// E experts, K experts per token, I intermediate.
/// </summary>
internal sealed class Workspace : IDisposable
{
    private readonly List<NativeBuffer> _all = [];

    public Workspace(ModelConfig config, ShardSpec spec, ShardOptions options)
    {
        TensorSplit split = spec.Split;
        (int rows, int received) = (options.MaxRows, ShardOptions.MostOwnRows(options.MaxRows, split.Ranks) * options.GroupSize);
        MaxReceived = received;
        int pairs = received * Math.Min(config.ExpertsPerToken, spec.Experts.Count);
        int[] localOf = new int[config.Experts];
        Array.Fill(localOf, -1);
        for (int i = 0; i < spec.Experts.Count; i++) localOf[spec.Experts[i].Value] = i;
        Arrivals = new ExpertRows(localOf, spec.Experts.Count, pairs);
        Normed = Room(rows, config.HiddenSize);
        Mixed = Room(rows, config.HiddenSize);
        LatentShape? latent = config.Latent;
        bool all = latent is null && split.Ranks > 1;
        AllQueries = Room(rows, latent is null ? all ? config.Heads * config.HeadDim : 0 : split.Heads.Count * latent.Query);
        AllKeys = Room(rows, all ? config.KvHeads * config.HeadDim : latent?.QueryRank ?? 0);
        Queries = Room(rows, split.Heads.Count * config.HeadDim);
        Keys = Room(rows, split.KvHeads.Count * config.HeadDim);
        Values = Room(rows, latent is null ? split.KvHeads.Count * config.ValueDim : split.Heads.Count * latent.Value);
        Attended = Room(rows, split.Heads.Count * config.ValueDim);
        Cos = Room(rows, config.Rope.Width / 2);
        Sin = Room(rows, config.Rope.Width / 2);
        int inner = Math.Max(split.Inner.Count, config.SharedExpertSize);
        Gate = Room(rows, inner);
        Up = Room(rows, inner);
        Shared = Room(rows, config.SharedExpertSize > 0 ? config.HiddenSize : 0);
        SharedGates = Room(rows, config.SharedExpertSize > 0 ? 1 : 0);
        RouterLogits = Room(rows, config.Experts);
        ExpertIds = Room(rows, config.ExpertsPerToken);
        RoutingWeights = Room(rows, config.ExpertsPerToken);
        Activation = Room(pairs, ExpertWeights.RoomOf(config.MoeIntermediateSize, config.HiddenSize, config.ExpertBias));
        int arrived = config.Experts > 0 ? received : 0;
        Arrived = Room(arrived, config.HiddenSize);
        ArrivedIds = Room(arrived, config.ExpertsPerToken);
        ArrivedWeights = Room(arrived, config.ExpertsPerToken);
        Partial = Room(received, config.Experts > 0 ? config.HiddenSize : 0);
    }

    /// <summary>The most rows that may arrive from the group (N).</summary>
    public int MaxReceived { get; }

    /// <summary>[N, H] rows that arrived, as fp32.</summary>
    public NativeBuffer Arrived { get; }

    /// <summary>[N, K] int32, their experts.</summary>
    public NativeBuffer ArrivedIds { get; }

    /// <summary>[N, K] the experts' weights.</summary>
    public NativeBuffer ArrivedWeights { get; }

    /// <summary>What arrived, sorted by local expert.</summary>
    public ExpertRows Arrivals { get; }

    /// <summary>[T, H] after a norm: what attention and feed-forward read.</summary>
    public NativeBuffer Normed { get; }

    /// <summary>[T, H] what attention and feed-forward give back to the residual.</summary>
    public NativeBuffer Mixed { get; }

    /// <summary>Queries of all tensor ranks' heads, or as they are before they meet latent keys; [T, heads x their width].</summary>
    public NativeBuffer AllQueries { get; }

    /// <summary>Keys of all tensor ranks' heads, [T, all KV heads x D], or the latent vectors of queries.</summary>
    public NativeBuffer AllKeys { get; }

    /// <summary>[T, heads x D]</summary>
    public NativeBuffer Queries { get; }

    /// <summary>[T, KV heads x D]</summary>
    public NativeBuffer Keys { get; }

    /// <summary>[T, KV heads x D], or what heads made of latent vectors: [T, heads x their values' width].</summary>
    public NativeBuffer Values { get; }

    /// <summary>[T, heads x width of a value in the cache]</summary>
    public NativeBuffer Attended { get; }

    /// <summary>[T, half of what turns] of this step's positions.</summary>
    public NativeBuffer Cos { get; }

    /// <summary>[T, half of what turns] of this step's positions.</summary>
    public NativeBuffer Sin { get; }

    /// <summary>[T, I] of a dense layer or a shared expert.</summary>
    public NativeBuffer Gate { get; }

    /// <summary>[T, I] of a dense layer or a shared expert.</summary>
    public NativeBuffer Up { get; }

    /// <summary>[T, H] what the shared expert came to.</summary>
    public NativeBuffer Shared { get; }

    /// <summary>[T] how much of it each row takes, before the sigmoid.</summary>
    public NativeBuffer SharedGates { get; }

    /// <summary>[T, E]</summary>
    public NativeBuffer RouterLogits { get; }

    /// <summary>[T, K] int32</summary>
    public NativeBuffer ExpertIds { get; }

    /// <summary>[T, K]</summary>
    public NativeBuffer RoutingWeights { get; }

    /// <summary>[pairs, I] of an expert layer.</summary>
    public NativeBuffer Activation { get; }

    /// <summary>[N, H] weighted sums over the local experts.</summary>
    public NativeBuffer Partial { get; }

    /// <summary>Bytes in all.</summary>
    public long Bytes => _all.Sum(buffer => buffer.Bytes);

    public void Dispose() => _all.ForEach(buffer => buffer.Dispose());

    private NativeBuffer Room(int rows, int width)
    {
        var buffer = NativeBuffer.OfFloats((long)rows * width);
        _all.Add(buffer);
        return buffer;
    }
}
