using BenchmarkDotNet.Attributes;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>Rows times a matrix of 2048 x 2048, which no call finds in the caches.</summary>
public class LinearBenchmark : KernelBenchmark
{
    private const int Outputs = 2048, Width = 2048;
    private Weight[] _weights = [];
    private float[] _x = [], _y = [];
    private int _next;

    /// <summary>Rows of a call.</summary>
    [Params(1, 8, 64, 512)]
    public int Rows { get; set; }

    /// <summary>How the weight is stored.</summary>
    [ParamsSource(nameof(Types))]
    public ElementType Type { get; set; }

    /// <summary>Makes the weights.</summary>
    [GlobalSetup]
    public void Setup()
    {
        Open();
        _weights = Inputs.Copies(Outputs, Width, Type);
        (_x, _y) = (Inputs.Floats(Rows * Width), Inputs.Floats(Rows * Outputs));
    }

    /// <summary>y = x W.</summary>
    [Benchmark]
    public void Linear() => Kernels.Linear(_x, _weights[_next++ % _weights.Length], _y);

    private protected override Work Of(string method) => new(2.0 * Rows * Outputs * Width, Bytes(Type, Outputs, Width));
}
