using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The running softmax of a part (Milakov and Gimelshein 2018), and how parts become one (Dao et al. 2023): the same steps in the same
/// order whether one thread goes through all parts or many through one each. Scores are in units of ln 2, so that weights are powers of 2.
/// </summary>
internal static unsafe class AttentionSoftmax
{
    private const int Tile = AttentionTiles<StoredF32>.Tile;

    /// <summary>
    /// Scores of four queries, or of the first one, become 2^(score - highest so far), 0 outside of [from, to); factors: by what all that
    /// was summed before shrinks. A query with nothing in [from, to) keeps what it has. scores: [4, 64]; denominators: [4, 16] lanes of the
    /// sums of weights.
    /// </summary>
    public static void Weigh(int queries, float* scores, int* from, int* to, float* highest, float* denominators, float* factors)
    {
        Vector512<float> none = Vector512.Create(float.NegativeInfinity), a = Top(scores, from[0], to[0]), b = none, c = none, d = none;
        if (queries > 1)
        {
            b = Top(scores + Tile, from[1], to[1]);
            c = Top(scores + 2 * Tile, from[2], to[2]);
            d = Top(scores + 3 * Tile, from[3], to[3]);
        }
        // No branch: a new maximum is too common to be guessed. Where there is none the factor is 1, also before the first score.
        Vector128<float> before = Vector128.Load(highest), top = Vector128.MaxNative(Highest(a, b, c, d), before);
        Vector128<float> factor = Power((before - top).ToVector256Unsafe().ToVector512Unsafe()).GetLower().GetLower();
        Vector128.ConditionalSelect(Vector128.Equals(top, before), Vector128<float>.One, factor).Store(factors);
        top.Store(highest);
        for (int i = 0; i < queries; i++, scores += Tile, denominators += Lanes.Count)
        {
            if (from[i] >= to[i])
            {
                new Span<float>(scores, Tile).Clear();
                continue;
            }
            Vector512<float> max = Vector512.Create(highest[i]), sum = Vector512.Load(denominators);
            a = Power(Vector512.Load(scores) - max);
            b = Power(Vector512.Load(scores + 16) - max);
            c = Power(Vector512.Load(scores + 32) - max);
            d = Power(Vector512.Load(scores + 48) - max);
            a.Store(scores);
            b.Store(scores + 16);
            c.Store(scores + 32);
            d.Store(scores + 48);
            Vector512.FusedMultiplyAdd(sum, Vector512.Create(factors[i]), a + b + (c + d)).Store(denominators);
        }
    }

    /// <summary>
    /// Adds a part to the parts before it, in the order of positions. sums: [width] of the part; to: [width] of all so far, which the first
    /// part sets.
    /// </summary>
    public static void Merge(float* sums, float* denominator, float max, bool first, float* totalMax, float* total, float* to, int width)
    {
        float top = max > *totalMax ? max : *totalMax;
        Vector512<float> factors = Power(Vector512.Create(Vector256.Create(*totalMax - top), Vector256.Create(max - top)));
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

    // 2^x for x <= 0 within 1 unit in the last place; 0 below -125.5, NaN for NaN. The nearest integer to x is what a sum with 1.5 x 2^23
    // has in its lower bits, from where it moves to the exponent. For the rest, in [-1/2, 1/2], the polynomial of degree 6 with p(0) = 1
    // whose largest relative error is least (Remez; 2.6e-9).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Power(Vector512<float> x)
    {
        Vector512<float> shift = Vector512.Create(12582912f), moved = x + shift, r = x - (moved - shift);
        Vector512<float> e = Vector512.Create(1.55946778e-4f);
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1.34066434e-3f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(9.61769279e-3f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(5.55031039e-2f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(0.240226522f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(0.693147242f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1f));
        e = (e.AsInt32() + (moved.AsInt32() << 23)).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-125.5f)), Vector512<float>.Zero, e);
    }

    // The highest of a query's 64 scores, to each lane that of four; what it does not see becomes -infinity.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Top(float* scores, int from, int to)
    {
        if (to - from < Tile) Hide(scores, from, to);
        Vector512<float> ab = Vector512.MaxNative(Vector512.Load(scores), Vector512.Load(scores + 16));
        return Vector512.MaxNative(ab, Vector512.MaxNative(Vector512.Load(scores + 32), Vector512.Load(scores + 48)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Hide(float* scores, int from, int to)
    {
        for (int i = 0; i < Tile; i += Lanes.Count)
        {
            Vector512<int> at = Vector512<int>.Indices + Vector512.Create(i);
            Vector512<int> seen = Vector512.GreaterThanOrEqual(at, Vector512.Create(from)) & Vector512.LessThan(at, Vector512.Create(to));
            Vector512<float> hidden = Vector512.Create(float.NegativeInfinity);
            Vector512.ConditionalSelect(seen.AsSingle(), Vector512.Load(scores + i), hidden).Store(scores + i);
        }
    }

    // The highest lanes of four vectors.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Highest(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector256<float> ab = Vector256.Create(Quarter(a), Quarter(b)), cd = Vector256.Create(Quarter(c), Quarter(d));
        ab = Vector256.MaxNative(ab, Vector256.Shuffle(ab, Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5)));
        cd = Vector256.MaxNative(cd, Vector256.Shuffle(cd, Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5)));
        ab = Vector256.MaxNative(ab, Vector256.Shuffle(ab, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)));
        cd = Vector256.MaxNative(cd, Vector256.Shuffle(cd, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)));
        return Vector128.Create(ab.GetElement(0), ab.GetElement(4), cd.GetElement(0), cd.GetElement(4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(Vector512<float> v)
    {
        Vector256<float> half = Vector256.MaxNative(v.GetLower(), v.GetUpper());
        return Vector128.MaxNative(half.GetLower(), half.GetUpper());
    }
}
