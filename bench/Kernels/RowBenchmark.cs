using BenchmarkDotNet.Attributes;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;

namespace Troupe.Bench;

/// <summary>What is done row by row between the products: norms, rotary positions, the router's choice of 8 of 128 experts.</summary>
public class RowBenchmark : KernelBenchmark
{
    private const int Width = 2048, Heads = 32, Size = 128, Experts = 128, TopK = 8;
    private Weight _scale;
    private float[] _x = [], _y = [], _heads = [], _cos = [], _sin = [], _logits = [], _scratch = [], _weights = [];
    private int[] _ids = [];
    private readonly RouteRule _softmax = new(Experts) { Normalize = true };
    private readonly RouteRule _groups = new(Experts) { Sigmoid = true, Normalize = true, Groups = 8, KeptGroups = 4, GroupsByTwo = true };

    /// <summary>Rows of a call.</summary>
    [Params(1, 64)]
    public int Rows { get; set; }

    /// <summary>Makes the rows.</summary>
    [GlobalSetup]
    public void Setup()
    {
        Open();
        _scale = Inputs.Weight(1, Width, ElementType.BF16);
        (_x, _y, _heads) = (Inputs.Floats(Rows * Width), Inputs.Floats(Rows * Width), Inputs.Floats(Rows * Heads * Size));
        (_cos, _sin) = (Inputs.Floats(Rows * Size / 2), Inputs.Floats(Rows * Size / 2));
        (_logits, _scratch) = (Inputs.Floats(Rows * Experts), Inputs.Floats(Rows * Experts));
        (_ids, _weights) = (new int[Rows * TopK], Inputs.Floats(Rows * TopK));
        // Turns that keep the length, so that values stay as they are over any number of calls.
        for (int i = 0; i < _cos.Length; i++) (_cos[i], _sin[i]) = (MathF.Cos(i), MathF.Sin(i));
    }

    /// <summary>The norm of a hidden state of 2048.</summary>
    [Benchmark]
    public void RmsNorm() => Kernels.RmsNorm(_x, _scale, 1e-6f, _y);

    /// <summary>Rotary positions of 32 heads of 128.</summary>
    [Benchmark]
    public void Rope() => Kernels.Rope(_heads, _cos, _sin, Size);

    /// <summary>The router's choice by softmax.</summary>
    [Benchmark]
    public void RouterTopK()
    {
        _logits.CopyTo(_scratch, 0);
        Kernels.Route(_scratch, _softmax, _ids, _weights);
    }

    /// <summary>The router's choice by sigmoid among 4 of 8 groups.</summary>
    [Benchmark]
    public void RouterGroups()
    {
        _logits.CopyTo(_scratch, 0);
        Kernels.Route(_scratch, _groups, _ids, _weights);
    }

    private protected override Work Of(string method) => method switch
    {
        nameof(RmsNorm) => new Work(4.0 * Rows * Width, 4.0 * Rows * Width),
        nameof(Rope) => new Work(3.0 * Rows * Heads * Size, 4.0 * Rows * Heads * Size),
        _ => new Work(0, 4.0 * Rows * Experts),
    };
}
