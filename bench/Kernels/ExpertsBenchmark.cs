using BenchmarkDotNet.Attributes;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>The feed-forward of 8 experts of 768 x 2048, each with some rows; no call finds its experts in the caches.</summary>
public class ExpertsBenchmark : KernelBenchmark
{
    private const int Experts = 8, Width = 2048, Inner = 768;
    private ExpertWeights[] _experts = [];
    private ExpertRows? _rows;
    private float[] _hidden = [], _activation = [], _partial = [];
    private int _next;

    /// <summary>Rows of each expert.</summary>
    [Params(1, 8, 64)]
    public int RowsPerExpert { get; set; }

    /// <summary>How weights are stored.</summary>
    [ParamsSource(nameof(Types))]
    public ElementType Type { get; set; }

    /// <summary>Makes the weights.</summary>
    [GlobalSetup]
    public void Setup()
    {
        Open();
        Weight[] wide = Inputs.Copies(Inner, Width, Type, 2 * Experts), down = Inputs.Copies(Width, Inner, Type, Experts);
        int sets = Math.Min(wide.Length / (2 * Experts), down.Length / Experts);
        _experts = [.. Enumerable.Range(0, sets).Select(set => new ExpertWeights(
            wide[(2 * set * Experts)..((2 * set + 1) * Experts)], wide[((2 * set + 1) * Experts)..((2 * set + 2) * Experts)],
            down[(set * Experts)..((set + 1) * Experts)]))];
        int pairs = Experts * RowsPerExpert;
        _rows = new ExpertRows([.. Enumerable.Range(0, Experts)], Experts, pairs);
        // One choice a row, in turn.
        _rows.Sort([.. Enumerable.Range(0, pairs).Select(row => row % Experts)], Inputs.Floats(pairs), topK: 1);
        (_hidden, _partial) = (Inputs.Floats(pairs * Width), Inputs.Floats(pairs * Width));
        _activation = Inputs.Floats(pairs * _experts[0].Room);
    }

    /// <summary>All experts, all rows.</summary>
    [Benchmark]
    public void GroupedExperts() => Kernels.Experts(_experts[_next++ % _experts.Length], _rows!, _hidden, _activation, _partial);

    private protected override Work Of(string method) =>
        new(6.0 * Experts * RowsPerExpert * Width * Inner, Experts * (2 * Bytes(Type, Inner, Width) + Bytes(Type, Width, Inner)));
}
