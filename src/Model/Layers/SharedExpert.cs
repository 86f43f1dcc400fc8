using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// The expert of a MoE layer that every row goes to, on the rank that owns the row: down(silu(gate(x)) * up(x)), in some families times the
/// sigmoid of the row's product with a vector. It needs nobody else, so it runs while rows are on their way to their routed experts.
/// </summary>
/// <param name="mlp">What it computes of a row.</param>
/// <param name="share">[1, H]: how much of the result a row takes; null where it takes all.</param>
internal sealed class SharedExpert(DenseMlp mlp, Weight? share)
{
    /// <summary>Computes what <see cref="AddTo"/> will add. normed: [T, H].</summary>
    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed)
    {
        context.Enter(layer, StepActivity.SharedExpert);
        mlp.Apply(context, normed, context.Room.Shared.Floats(normed.Length));
        if (share is { } gate) context.Kernels.Linear(normed, gate, context.Room.SharedGates.Floats(normed.Length / gate.Columns));
    }

    /// <summary>output: [T, H], what the routed experts came to.</summary>
    public void AddTo(LayerContext context, LayerIndex layer, Span<float> output)
    {
        context.Enter(layer, StepActivity.SharedExpert);
        Span<float> result = context.Room.Shared.Floats(output.Length);
        if (share is { } gate) context.Kernels.AddGated(output, context.Room.SharedGates.Floats(output.Length / gate.Columns), result);
        else context.Kernels.Add(output, result);
    }
}
