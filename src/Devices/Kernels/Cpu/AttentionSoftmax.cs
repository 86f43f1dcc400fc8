using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The running softmax of a part (Milakov and Gimelshein 2018), and how parts become one (Dao et al. 2023): the same steps in the same
/// order whether one thread goes through all parts or many through one each.
/// </summary>
internal static unsafe class AttentionSoftmax
{
    private const int Tile = AttentionTiles<StoredF32>.Tile;

    /// <summary>
    /// Scores become exp(score - max so far), 0 outside of [from, to), which is not empty. Returns the factor by which all that was summed
    /// before shrinks. scores: [64]; denominator: 16 lanes of the sum of exponents.
    /// </summary>
    public static float Exponents(float* scores, int from, int to, float* max, float* denominator)
    {
        Vector512<float> a = Vector512.Load(scores), b = Vector512.Load(scores + 16);
        Vector512<float> c = Vector512.Load(scores + 32), d = Vector512.Load(scores + 48);
        if (to - from < Tile)
        {
            a = Within(a, from, to);
            b = Within(b, from - 16, to - 16);
            c = Within(c, from - 32, to - 32);
            d = Within(d, from - 48, to - 48);
        }
        float before = *max, top = Highest(Vector512.MaxNative(Vector512.MaxNative(a, b), Vector512.MaxNative(c, d)));
        if (!(top > before)) top = before;
        float factor = top == before ? 1 : Exp(Vector512.Create(before - top))[0];
        a = Exp(a - Vector512.Create(top));
        b = Exp(b - Vector512.Create(top));
        c = Exp(c - Vector512.Create(top));
        d = Exp(d - Vector512.Create(top));
        a.Store(scores);
        b.Store(scores + 16);
        c.Store(scores + 32);
        d.Store(scores + 48);
        Vector512.FusedMultiplyAdd(Vector512.Load(denominator), Vector512.Create(factor), a + b + (c + d)).Store(denominator);
        *max = top;
        return factor;
    }

    /// <summary>
    /// Adds a part to the parts before it, in the order of positions. sums: [width] of the part; to: [width] of all so far, which the first
    /// part sets.
    /// </summary>
    public static void Merge(float* sums, float* denominator, float max, bool first, float* totalMax, float* total, float* to, int width)
    {
        float top = max > *totalMax ? max : *totalMax;
        Vector512<float> factors = Exp(Vector512.Create(Vector256.Create(*totalMax - top), Vector256.Create(max - top)));
        (float old, float add) = (factors[0], factors[8]);
        *total = MathF.FusedMultiplyAdd(*total, old, Lanes.Sum(Vector512.Load(denominator)) * add);
        *totalMax = top;
        int i = 0;
        for (; i + Lanes.Count <= width; i += Lanes.Count)
        {
            Vector512<float> part = Vector512.Load(sums + i) * add;
            (first ? part : Vector512.FusedMultiplyAdd(Vector512.Load(to + i), Vector512.Create(old), part)).Store(to + i);
        }
        for (; i < width; i++) to[i] = first ? sums[i] * add : MathF.FusedMultiplyAdd(to[i], old, sums[i] * add);
    }

    /// <summary>What was summed, by the sum of its weights.</summary>
    public static void Divide(float* to, int width, float total)
    {
        float inverse = 1 / total;
        int i = 0;
        for (; i + Lanes.Count <= width; i += Lanes.Count) (Vector512.Load(to + i) * inverse).Store(to + i);
        for (; i < width; i++) to[i] *= inverse;
    }

    // e^x for x <= 0 as in VectorMath, with less to do: 0 below -87.3, NaN for NaN. n = round(x / ln 2) is what a sum with 1.5 x 2^23
    // has in its lower bits, from where it moves to the exponent; the result is never denormal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> shift = Vector512.Create(12582912f);
        Vector512<float> moved = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), shift), n = moved - shift;
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        Vector512<float> e = Vector512.Create(1f / 5040);
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f / 720));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f / 120));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f / 24));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f / 6));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(0.5f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f));
        e = (e.AsInt32() + (moved.AsInt32() << 23)).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87.3f)), Vector512<float>.Zero, e);
    }

    private static Vector512<float> Within(Vector512<float> scores, int from, int to)
    {
        Vector512<int> seen = Vector512.GreaterThanOrEqual(Vector512<int>.Indices, Vector512.Create(from))
            & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(to));
        return Vector512.ConditionalSelect(seen.AsSingle(), scores, Vector512.Create(float.NegativeInfinity));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Highest(Vector512<float> v)
    {
        Vector256<float> half = Vector256.MaxNative(v.GetLower(), v.GetUpper());
        Vector128<float> quarter = Vector128.MaxNative(half.GetLower(), half.GetUpper());
        quarter = Vector128.MaxNative(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return quarter[0] > quarter[1] ? quarter[0] : quarter[1];
    }
}
