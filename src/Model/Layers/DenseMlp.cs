using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// down(silu(gate(x)) * up(x)) on every row. gate, up: [I, H]; down: [H, I]. Where I is the part of a tensor rank, so is the output.
/// </summary>
internal sealed class DenseMlp(Projection gate, Projection up, Projection down) : IFeedForward
{
    public bool OnOwnRows => false;

    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> output)
    {
        context.Enter(layer, StepActivity.FeedForward);
        Apply(context, normed, output);
    }

    /// <summary>normed, output: [T, H].</summary>
    public void Apply(LayerContext context, ReadOnlySpan<float> normed, Span<float> output)
    {
        Span<float> gated = context.Room.Gate.Floats(normed.Length / gate.Weight.Columns * gate.Weight.Rows); // [T, I]
        Span<float> upped = context.Room.Up.Floats(gated.Length);                                             // [T, I]
        context.Kernels.Linear(normed, new Product(gate.Weight, gated), new Product(up.Weight, upped));
        gate.AddBias(context.Kernels, gated);
        up.AddBias(context.Kernels, upped);
        context.Kernels.SiluMultiply(gated, upped);
        down.Apply(context.Kernels, gated, output);
    }
}
