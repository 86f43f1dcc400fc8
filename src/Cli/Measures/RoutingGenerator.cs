namespace Troupe.Cli.Measures;

/// <summary>
/// Routing and payload of the communication benchmarks: the same numbers in every language, from integer arithmetic modulo 2^64 alone, but
/// for one division of float32 per weight. Mixing: SplitMix64 (Steele, Lea and Flood 2014). tests/goldens/routing has rows made by the
/// generator in C.
/// </summary>
internal sealed class RoutingGenerator
{
    private const ulong Gamma = 0x9E37_79B9_7F4A_7C15, ZipfSalt = 0x5A49_5046, PayloadSalt = 0x58;
    private readonly ulong _seed;
    private readonly ulong[] _cumulative; // [E] of integer weights floor(2^32 / rank^z)
    private readonly int[] _permutation;  // [E] which expert has which popularity
    private readonly bool _uniform;

    /// <summary>A generator for K of E experts per token; <paramref name="zipf"/> 0 is uniform, 1 and 2 are the exponent.</summary>
    public RoutingGenerator(ulong seed, int experts, int topK, int zipf)
    {
        (_seed, Experts, TopK, _uniform) = (seed, experts, topK, zipf == 0);
        (_cumulative, _permutation) = (new ulong[experts], new int[experts]);
        ulong sum = 0, state = Mix(seed + ZipfSalt);
        for (int i = 0; i < experts; i++)
        {
            ulong divisor = 1;
            for (int z = 0; z < zipf; z++) divisor *= (ulong)(i + 1);
            _cumulative[i] = sum += (1UL << 32) / divisor;
            _permutation[i] = i;
        }
        for (int i = experts - 1; i >= 1; i--)
        {
            int j = (int)Below(Next(ref state), (ulong)(i + 1));
            (_permutation[i], _permutation[j]) = (_permutation[j], _permutation[i]);
        }
    }

    /// <summary>Experts in the layer (E).</summary>
    public int Experts { get; }

    /// <summary>Experts per token (K).</summary>
    public int TopK { get; }

    /// <summary>
    /// The experts of a token, all different, in the order drawn, and their weights, which sum to 1. All spans: [K];
    /// <paramref name="raw"/> gets the weights as whole numbers in [1, 256].
    /// </summary>
    public void Route(int rank, int token, Span<int> ids, Span<float> weights, Span<int> raw)
    {
        ulong state = Mix(Mix(Mix(_seed) + (ulong)rank) + (ulong)token);
        for (int k = 0; k < TopK; k++)
        {
            int expert = Draw(ref state);
            while (ids[..k].Contains(expert)) expert = Draw(ref state);
            ids[k] = expert;
        }
        int sum = 0;
        for (int k = 0; k < TopK; k++) sum += raw[k] = 1 + (int)(Next(ref state) >> 56);
        for (int k = 0; k < TopK; k++) weights[k] = (float)raw[k] / (float)sum;
    }

    /// <summary>The row of a token as whole numbers q in [-128, 127]; a value is q / 64, exact in bf16 and fp32. row: [H].</summary>
    public void Payload(int rank, int token, Span<sbyte> row)
    {
        ulong start = Mix(Mix(Mix(_seed ^ PayloadSalt) + (ulong)rank) + (ulong)token);
        for (int h = 0; h < row.Length; h++) row[h] = (sbyte)((int)(Mix(start + (ulong)h) >> 56) - 128);
    }

    private static ulong Mix(ulong x)
    {
        x += Gamma;
        x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9;
        x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB;
        return x ^ (x >> 31);
    }

    private static ulong Next(ref ulong state)
    {
        ulong result = Mix(state);
        state += Gamma;
        return result;
    }

    private static ulong Below(ulong random, ulong bound) => Math.BigMul(random, bound, out _);

    private int Draw(ref ulong state)
    {
        ulong random = Next(ref state);
        if (_uniform) return (int)Below(random, (ulong)Experts);
        ulong value = Below(random, _cumulative[^1]);
        int i = 0;
        while (value >= _cumulative[i]) i++;
        return _permutation[i];
    }
}
