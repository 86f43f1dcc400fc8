using BenchmarkDotNet.Attributes;
using Troupe.Model.Sampling;

namespace Troupe.Bench;

/// <summary>Drawing a token from the logits of 151,936.</summary>
public class SamplingBenchmark : IWorks
{
    private const int Vocabulary = 151_936;
    private readonly SamplingParameters _ranked = new() { Temperature = 0.7f, TopK = 40, TopP = 0.9f };
    private readonly SamplingParameters _minP = new() { Temperature = 0.7f, MinP = 0.05f };
    private readonly SamplingParameters _all = new() { RepetitionPenalty = 1.1f };
    private readonly float[] _penalties = new float[1000];
    private readonly int[] _seen = [.. Enumerable.Range(0, 1000)];
    private float[] _logits = [], _scratch = [];
    private int _position;

    /// <summary>Makes the logits.</summary>
    [GlobalSetup]
    public void Setup()
    {
        using var inputs = new Inputs();
        _logits = inputs.Floats(Vocabulary);
        // Some far above the others, as in a model.
        for (int i = 0; i < Vocabulary; i++) _logits[i] = 20 * MathF.Pow(_logits[i], 5);
        _scratch = new float[Vocabulary];
    }

    /// <summary>The largest.</summary>
    [Benchmark]
    public int Greedy() => Sampler.ArgMax(_logits);

    /// <summary>Top-k and top-p.</summary>
    [Benchmark]
    public int TopKTopP() => Draw(_ranked);

    /// <summary>Min-p.</summary>
    [Benchmark]
    public int MinP() => Draw(_minP);

    /// <summary>All of them, 1,000 with a penalty.</summary>
    [Benchmark]
    public int Penalty() => Draw(_all);

    Work IWorks.Of(string method) => new(0, 4.0 * Vocabulary);

    private int Draw(SamplingParameters how)
    {
        _logits.CopyTo(_scratch, 0);
        return Sampler.Sample(_scratch, how, seed: 1, _position++, _seen, _penalties);
    }
}
