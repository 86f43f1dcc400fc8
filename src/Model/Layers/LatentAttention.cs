using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Layers;

/// <summary>Where a latent vector comes from: its projection, and its norm.</summary>
internal readonly record struct LatentProjection(Projection Projection, Weight Norm);

/// <summary>
/// Attention through latent vectors (DeepSeek-V2, 2024). The cache keeps a position's latent vector and the part of its key that turns,
/// once for all heads. Heads never make keys and values of it: the matrix that would make keys is put before the query instead, and the
/// one that would make values behind the weighted sum, so that a row costs the same whatever stands before it. C width of a latent vector,
/// N and R of the parts of a query that do not turn and that do, V of a value.
/// </summary>
/// <param name="shape">The widths.</param>
/// <param name="queryLatent">[its width, H]; null where queries come from the hidden state.</param>
/// <param name="query">[heads x (N + R), H or the width of queries' latent vectors]</param>
/// <param name="latent">[C + R, H]</param>
/// <param name="latentNorm">[1, C]</param>
/// <param name="heads">For each head [N + V, C]: what makes keys and values of a latent vector.</param>
/// <param name="output">[H, heads x V]</param>
/// <param name="how">The groups and the scale of scores.</param>
/// <param name="neighbours">Whether neighbours turn together.</param>
internal sealed class LatentAttention(LatentShape shape, LatentProjection? queryLatent, Projection query, Projection latent,
    Weight latentNorm, Weight heads, Projection output, Attending how, bool neighbours) : IAttention
{
    /// <summary>Epsilon of the norms of latent vectors, whatever the model's other norms have: so it is in the reference.</summary>
    public const float Epsilon = 1e-6f;

    private readonly int _heads = heads.Rows / (shape.Still + shape.Value), _keySize = shape.KvRank + shape.Turning;

    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> mixed)
    {
        (IKernels kernels, Workspace room, StepRows rows) = (context.Kernels, context.Room, context.Rows);
        Span<float> q = room.AllQueries.Floats(rows.Count * _heads * shape.Query);        // [T, heads, N + R]
        Span<float> absorbed = room.Queries.Floats(rows.Count * _heads * _keySize);       // [T, heads, C + R]
        Span<float> k = room.Keys.Floats(rows.Count * _keySize);                          // [T, C + R]
        Span<float> attended = room.Attended.Floats(rows.Count * _heads * shape.KvRank);  // [T, heads, C]
        Span<float> values = room.Values.Floats(rows.Count * _heads * shape.Value);       // [T, heads, V]
        ReadOnlySpan<float> cos = room.Cos.Floats(rows.Count * shape.Turning / 2), sin = room.Sin.Floats(cos.Length);
        KvBlocks kv = context.Cache.Layer(layer.Value - context.First.Value);
        int stride = shape.Still + shape.Value;

        Queries(kernels, room, normed, q);
        latent.Apply(kernels, normed, k);
        for (int row = 0; row < rows.Count; row++)
        {
            Span<float> vector = k.Slice(row * _keySize, shape.KvRank);
            kernels.RmsNorm(vector, latentNorm, Epsilon, vector);
        }
        kernels.Rope(q, cos, sin, new RopeHeads(shape.Query, shape.Still, shape.Turning, neighbours));
        kernels.Rope(k, cos, sin, new RopeHeads(_keySize, shape.KvRank, shape.Turning, neighbours));
        kernels.StoreKv(kv, rows.Kv, k, []);

        kernels.HeadLinear(q, shape.Query, new HeadMatrices(heads, _heads, stride, 0, shape.Still, Transposed: true), absorbed, _keySize);
        for (int at = 0; at < rows.Count * _heads; at++)
            q.Slice(at * shape.Query + shape.Still, shape.Turning).CopyTo(absorbed[(at * _keySize + shape.KvRank)..]);
        kernels.Attend(kv, rows.Kv, how, absorbed, attended);
        kernels.HeadLinear(attended, shape.KvRank, new HeadMatrices(heads, _heads, stride, shape.Still, shape.Value), values, shape.Value);
        output.Apply(kernels, values, mixed);
    }

    private void Queries(IKernels kernels, Workspace room, ReadOnlySpan<float> normed, Span<float> q)
    {
        if (queryLatent is not { } from)
        {
            query.Apply(kernels, normed, q);
            return;
        }
        Span<float> vectors = room.AllKeys.Floats(normed.Length / from.Projection.Weight.Columns * shape.QueryRank);
        from.Projection.Apply(kernels, normed, vectors);
        kernels.RmsNorm(vectors, from.Norm, Epsilon, vectors);
        query.Apply(kernels, vectors, q);
    }
}
