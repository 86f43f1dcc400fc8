using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>Norms of each query and each key head. Query, Key: [1, D].</summary>
internal sealed record HeadNorms(Weight Query, Weight Key, float Epsilon);

/// <summary>
/// Grouped-query attention with rotary positions, keys and values in paged blocks, and norms of the heads where the family has them.
/// D head width. The heads are those of this tensor rank, so the output is its part of a sum.
/// </summary>
/// <param name="query">[heads x D, H]</param>
/// <param name="key">[KV heads x D, H]</param>
/// <param name="value">[KV heads x D, H]</param>
/// <param name="output">[H, heads x D]</param>
/// <param name="size">D.</param>
/// <param name="groups">How query heads share key/value heads.</param>
/// <param name="norms">Null where heads have no norm.</param>
internal sealed class Attention(
    Projection query, Projection key, Projection value, Weight output, int size, HeadGroups groups, HeadNorms? norms = null)
{
    /// <summary>normed, mixed: [T, H].</summary>
    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> mixed)
    {
        (Devices.Kernels.IKernels kernels, Workspace room, StepRows rows) = (context.Kernels, context.Room, context.Rows);
        Span<float> q = room.Queries.Floats(rows.Count * query.Weight.Rows);   // [T, heads, D]
        Span<float> k = room.Keys.Floats(rows.Count * key.Weight.Rows);        // [T, KV heads, D]
        Span<float> v = room.Values.Floats(rows.Count * value.Weight.Rows);    // [T, KV heads, D]
        Span<float> attended = room.Attended.Floats(q.Length);                 // [T, heads, D]
        ReadOnlySpan<float> cos = room.Cos.Floats(rows.Count * size / 2), sin = room.Sin.Floats(cos.Length); // [T, D / 2]
        KvBlocks kv = context.Cache.Layer(layer.Value - context.First.Value);

        query.Apply(kernels, normed, q);
        key.Apply(kernels, normed, k);
        value.Apply(kernels, normed, v);
        if (norms is not null)
        {
            kernels.RmsNorm(q, norms.Query, norms.Epsilon, q);
            kernels.RmsNorm(k, norms.Key, norms.Epsilon, k);
        }
        kernels.Rope(q, cos, sin, size);
        kernels.Rope(k, cos, sin, size);
        kernels.StoreKv(kv, rows.Kv, k, v);
        kernels.Attend(kv, rows.Kv, groups, q, attended);
        kernels.Linear(attended, output, mixed);
    }
}
