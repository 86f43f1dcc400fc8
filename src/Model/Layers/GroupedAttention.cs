using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>The first half of a layer: what mixes a row with those before it.</summary>
internal interface IAttention
{
    /// <summary>normed, mixed: [T, H]. The heads are those of this tensor rank, so the output is its part of a sum.</summary>
    void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> mixed);
}

/// <summary>Norms of queries and keys, over each head or over all heads of a row together. Query, Key: [1, width].</summary>
internal sealed record HeadNorms(Weight Query, Weight Key, float Epsilon);

/// <summary>
/// Grouped-query attention with rotary positions, keys and values in paged blocks. D head width.
/// </summary>
/// <param name="query">[heads x D, H]</param>
/// <param name="key">[KV heads x D, H]</param>
/// <param name="value">[KV heads x D, H]</param>
/// <param name="output">[H, heads x D]</param>
/// <param name="size">D.</param>
/// <param name="how">How query heads share key/value heads, and what they see.</param>
/// <param name="turning">What of each head turns.</param>
internal sealed class GroupedAttention(
    Projection query, Projection key, Projection value, Projection output, int size, Attending how, RopeHeads turning) : IAttention
{
    /// <summary>Null where there are none.</summary>
    public HeadNorms? Norms { get; init; }

    /// <summary>
    /// This rank's query and key heads, where the projections have all heads because the norm needs them; null where they have its own.
    /// </summary>
    public (Part Query, Part Key)? OwnHeads { get; init; }

    /// <summary>The bound of queries, keys and values; null without.</summary>
    public float? Limit { get; init; }

    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> mixed)
    {
        (IKernels kernels, Workspace room, StepRows rows) = (context.Kernels, context.Room, context.Rows);
        Span<float> q = (OwnHeads is null ? room.Queries : room.AllQueries).Floats(rows.Count * query.Weight.Rows); // [T, heads, D]
        Span<float> k = (OwnHeads is null ? room.Keys : room.AllKeys).Floats(rows.Count * key.Weight.Rows);     // [T, KV heads, D]
        Span<float> v = room.Values.Floats(rows.Count * value.Weight.Rows);                                     // [T, KV heads, D]
        kernels.Linear(normed, new Product(query.Weight, q), new Product(key.Weight, k), new Product(value.Weight, v));
        q = Finish(kernels, query, Norms?.Query, q, room.Queries, OwnHeads?.Query, rows.Count);
        k = Finish(kernels, key, Norms?.Key, k, room.Keys, OwnHeads?.Key, rows.Count);
        value.AddBias(kernels, v);
        Span<float> attended = room.Attended.Floats(q.Length);                                                  // [T, heads, D]
        ReadOnlySpan<float> cos = room.Cos.Floats(rows.Count * turning.Width / 2), sin = room.Sin.Floats(cos.Length);
        KvBlocks kv = context.Cache.Layer(layer.Value - context.First.Value);

        if (Limit is { } limit)
        {
            kernels.Clamp(q, limit);
            kernels.Clamp(k, limit);
            kernels.Clamp(v, limit);
        }
        kernels.Rope(q, cos, sin, turning);
        kernels.Rope(k, cos, sin, turning);
        kernels.StoreKv(kv, rows.Kv, k, v);
        kernels.Attend(kv, rows.Kv, how, q, attended);
        output.Apply(kernels, attended, mixed);
    }

    /// <summary>Products of all heads become queries or keys of this rank's, [T, heads, D].</summary>
    private Span<float> Finish(IKernels kernels, Projection from, Weight? norm, Span<float> projected, NativeBuffer own, Part? heads,
        int rows)
    {
        from.AddBias(kernels, projected);
        if (norm is { } scale) kernels.RmsNorm(projected, scale, Norms!.Epsilon, projected);
        if (heads is not { } part) return projected;
        Part values = part.Times(size);
        Span<float> mine = own.Floats(rows * values.Count);
        for (int row = 0; row < rows; row++)
            projected.Slice(row * from.Weight.Rows + values.First, values.Count).CopyTo(mine[(row * values.Count)..]);
        return mine;
    }
}
