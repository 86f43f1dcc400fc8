using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;

namespace Troupe.Model.Layers;

/// <summary>y = x times the transpose of a weight, plus a bias where there is one. weight: [N, K]; bias: [1, N].</summary>
internal readonly record struct Projection(Weight Weight, Weight? Bias = null)
{
    /// <summary>x: [T, K]; y: [T, N].</summary>
    public void Apply(IKernels kernels, ReadOnlySpan<float> x, Span<float> y)
    {
        kernels.Linear(x, Weight, y);
        AddBias(kernels, y);
    }

    /// <summary>A product that was made together with others becomes y.</summary>
    public void AddBias(IKernels kernels, Span<float> y)
    {
        if (Bias is { } bias) kernels.AddBias(y, bias);
    }
}
