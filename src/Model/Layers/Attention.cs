using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// Grouped-query attention with a norm on each query and key head (Qwen3), rotary positions, and keys and values in paged blocks.
/// D head width.
/// </summary>
/// <param name="query">[heads x D, H]</param>
/// <param name="key">[KV heads x D, H]</param>
/// <param name="value">[KV heads x D, H]</param>
/// <param name="output">[H, heads x D]</param>
/// <param name="queryNorm">[1, D]</param>
/// <param name="keyNorm">[1, D]</param>
/// <param name="epsilon">Of the norms.</param>
internal sealed class Attention(Weight query, Weight key, Weight value, Weight output, Weight queryNorm, Weight keyNorm, float epsilon)
{
    /// <summary>normed, mixed: [T, H].</summary>
    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> mixed)
    {
        (Devices.Kernels.IKernels kernels, Workspace room, StepRows rows) = (context.Kernels, context.Room, context.Rows);
        int size = queryNorm.Columns;
        Span<float> q = room.Queries.Floats(rows.Count * query.Rows);      // [T, heads, D]
        Span<float> k = room.Keys.Floats(rows.Count * key.Rows);           // [T, KV heads, D]
        Span<float> v = room.Values.Floats(rows.Count * value.Rows);       // [T, KV heads, D]
        Span<float> attended = room.Attended.Floats(q.Length);             // [T, heads, D]
        ReadOnlySpan<float> cos = room.Cos.Floats(rows.Count * size / 2), sin = room.Sin.Floats(cos.Length); // [T, D / 2]
        KvBlocks kv = context.Cache.Layer(layer.Value - context.First.Value);

        kernels.Linear(normed, query, q);
        kernels.Linear(normed, key, k);
        kernels.Linear(normed, value, v);
        kernels.RmsNorm(q, queryNorm, epsilon, q);
        kernels.RmsNorm(k, keyNorm, epsilon, k);
        kernels.Rope(q, cos, sin, size);
        kernels.Rope(k, cos, sin, size);
        kernels.StoreKv(kv, rows.Kv, k, v);
        kernels.Attend(kv, rows.Kv, q, attended);
        kernels.Linear(attended, output, mixed);
    }
}
