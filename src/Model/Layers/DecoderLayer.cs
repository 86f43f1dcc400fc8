using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>What stands behind the attention of a layer: a dense feed-forward or routed experts.</summary>
internal interface IFeedForward
{
    /// <summary>
    /// Whether each tensor rank works on rows of its own, and the output is whole; else all work on all rows, and the output is a part of
    /// a sum.
    /// </summary>
    bool OnOwnRows { get; }

    /// <summary>normed: [T, H]; output: [T, H], overwritten.</summary>
    void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> output);
}

/// <summary>One pre-norm decoder layer: hidden += attention(norm(hidden)); hidden += feed-forward(norm(hidden)).</summary>
internal sealed class DecoderLayer(
    LayerIndex index, float epsilon, Weight inputNorm, IAttention attention, Weight postNorm, IFeedForward feedForward)
{
    /// <summary>The layer's place in the whole model.</summary>
    public LayerIndex Index => index;

    /// <summary>hidden: [T, H], changed in place.</summary>
    /// <exception cref="NonFiniteException">The result has an infinite value or NaN.</exception>
    public void Forward(LayerContext context, Span<float> hidden)
    {
        Span<float> normed = context.Room.Normed.Floats(hidden.Length), mixed = context.Room.Mixed.Floats(hidden.Length); // [T, H]

        context.Enter(index, StepActivity.Attention);
        context.Kernels.RmsNorm(hidden, inputNorm, epsilon, normed);
        attention.Forward(context, index, normed, mixed);

        int width = inputNorm.Columns;
        Part own = context.SumUp(index, mixed, width, feedForward.OnOwnRows).Times(width);
        Span<float> mine = hidden.Slice(own.First, own.Count); // [own T, H]
        normed = normed[..own.Count];
        mixed = mixed.Slice(own.First, own.Count);
        context.Kernels.Add(mine, mixed);
        context.Kernels.RmsNorm(mine, postNorm, epsilon, normed);
        feedForward.Forward(context, index, normed, mixed);
        if (!feedForward.OnOwnRows) context.SumUp(index, mixed, width, own: false);
        context.Enter(index, StepActivity.Residual);
        context.Kernels.Add(mine, mixed);
        if (feedForward.OnOwnRows) context.Gather(index, hidden, width);

        if (!context.Kernels.AllFinite(hidden)) throw new NonFiniteException(index);
    }
}
