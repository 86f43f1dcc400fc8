using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Functions of 16 values at once.</summary>
internal static class VectorMath
{
    /// <summary>
    /// e^x within 2 units in the last place; 0 below -87.3, infinity above 88.7, NaN for NaN. x = n ln 2 + r with |r| &lt;= ln 2 / 2, ln 2
    /// in two parts so that r is exact (Cody and Waite 1980), and the Taylor series of e^r up to r^7.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> n = Vector512.Round(x * 1.44269504f);
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
        // 2^n by its exponent, in two halves so that n = 128 does not overflow before the last product.
        Vector512<int> whole = Vector512.ConvertToInt32(Vector512.Min(Vector512.Max(n, Vector512.Create(-126f)), Vector512.Create(128f)));
        Vector512<int> half = whole >> 1;
        e = e * Power(half) * Power(whole - half);
        e = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87.3f)), Vector512<float>.Zero, e);
        e = Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(88.7f)), Vector512.Create(float.PositiveInfinity), e);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), e, x);
    }

    /// <summary>x / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Silu(Vector512<float> x) => x / (Vector512<float>.One + Exp(-x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Power(Vector512<int> exponent) => ((exponent + Vector512.Create(127)) << 23).AsSingle();
}
