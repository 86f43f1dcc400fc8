using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// down(silu(gate(x)) * up(x)) on every row. gate, up: [I, H]; down: [H, I]. Where I is the part of a tensor rank, so is the output.
/// </summary>
internal sealed class DenseMlp(Weight gate, Weight up, Weight down) : IFeedForward
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
        Span<float> gated = context.Room.Gate.Floats(normed.Length / gate.Columns * gate.Rows); // [T, I]
        Span<float> upped = context.Room.Up.Floats(gated.Length);                     // [T, I]
        context.Kernels.Linear(normed, gate, gated);
        context.Kernels.Linear(normed, up, upped);
        context.Kernels.SiluMultiply(gated, upped);
        context.Kernels.Linear(gated, down, output);
    }
}
