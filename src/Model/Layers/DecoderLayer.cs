using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>What stands behind the attention of a layer: a dense feed-forward or routed experts.</summary>
internal interface IFeedForward
{
    /// <summary>normed: [T, H]; output: [T, H], overwritten.</summary>
    void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> output);
}

/// <summary>One pre-norm decoder layer: hidden += attention(norm(hidden)); hidden += feed-forward(norm(hidden)).</summary>
internal sealed class DecoderLayer(
    LayerIndex index, float epsilon, Weight inputNorm, Attention attention, Weight postNorm, IFeedForward feedForward)
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
        context.Kernels.Add(hidden, mixed);

        context.Kernels.RmsNorm(hidden, postNorm, epsilon, normed);
        feedForward.Forward(context, index, normed, mixed);
        context.Enter(index, StepActivity.Residual);
        context.Kernels.Add(hidden, mixed);

        if (!context.Kernels.AllFinite(hidden)) throw new NonFiniteException(index);
    }
}
