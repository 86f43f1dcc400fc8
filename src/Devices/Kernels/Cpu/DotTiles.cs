using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Four rows by address: of activations to read, or of results to write. Rows may stand twice.</summary>
internal unsafe struct FourRows(float* a, float* b, float* c, float* d)
{
    public float* A = a, B = b, C = c, D = d;

    /// <summary>Rows that follow each other.</summary>
    public static FourRows From(float* first, long stride) => new(first, first + stride, first + 2 * stride, first + 3 * stride);
}

/// <summary>
/// Dot products of rows with stored weights, 4 rows x 4 outputs at a time in 16 registers. Each output is the sum of 16 lanes, each lane
/// the fused sum of every 16th product: a block of another size reuses loads and changes no bit.
/// </summary>
internal static unsafe class DotTiles<T> where T : IStored
{
    // What is left of a row after its last whole vector, zero-filled: four of x, then four of w. Filled before a tile starts, since a call
    // inside would make the JIT keep the sums in memory (measured: 13 in place of 55 GFLOP/s).
    private const int TailFloats = 8 * Lanes.Count, TailOfW = 4 * Lanes.Count;

    /// <summary>
    /// y[r, n] = x[r] . w[n] for 4 rows and some outputs. stride: bytes from one weight row to the next; k: length of a row; next: the
    /// weights that are read after these.
    /// </summary>
    [SkipLocalsInit]
    public static void Rows4(FourRows x, int k, byte* w, long stride, int outputs, FourRows y, byte* next)
    {
        var ahead = new Ahead(stride, outputs, next);
        float* tails = stackalloc float[TailFloats];
        FillXTails(x, k, tails);
        int n = 0;
        for (; n + 4 <= outputs; n += 4, w += 4 * stride)
        {
            FillWTails(w, stride, k, tails);
            Tile4x4(x, k, w, stride, ahead.Of(n, w), tails, new FourRows(y.A + n, y.B + n, y.C + n, y.D + n));
        }
        for (; n < outputs; n++, w += stride)
        {
            y.A[n] = One(x.A, k, w);
            y.B[n] = One(x.B, k, w);
            y.C[n] = One(x.C, k, w);
            y.D[n] = One(x.D, k, w);
        }
    }

    /// <summary>The same for up to 3 rows.</summary>
    [SkipLocalsInit]
    public static void RowsUpTo3(int rows, FourRows x, int k, byte* w, long stride, int outputs, FourRows y, byte* next)
    {
        if (rows == 3)
        {
            x.D = x.C;
            y.D = y.C;
            Rows4(x, k, w, stride, outputs, y, next);
            return;
        }
        var ahead = new Ahead(stride, outputs, next);
        if (rows == 1) x.B = x.A;
        x.C = x.D = x.A;
        float* tails = stackalloc float[TailFloats];
        FillXTails(x, k, tails);
        int n = 0;
        for (; n + 4 <= outputs; n += 4, w += 4 * stride)
        {
            FillWTails(w, stride, k, tails);
            Tile1x4(x.A, k, w, stride, ahead.Of(n, w), tails, tails + TailOfW, y.A + n);
            if (rows == 2) Tile1x4(x.B, k, w, stride, w, tails + Lanes.Count, tails + TailOfW, y.B + n);
        }
        for (; n < outputs; n++, w += stride)
        {
            y.A[n] = One(x.A, k, w);
            if (rows == 2) y.B[n] = One(x.B, k, w);
        }
    }

    private static float One(float* x, int k, byte* w)
    {
        Vector512<float> sum = default;
        int i = 0;
        for (; i + Lanes.Count <= k; i += Lanes.Count) sum = Fma(Vector512.Load(x + i), T.Load(w + i * T.Size), sum);
        if (i < k) sum = Fma(Lanes.LoadTail(x + i, k - i), Lanes.LoadTail<T>(w + i * T.Size, k - i), sum);
        return Lanes.Sum(sum);
    }

    private static void Tile1x4(float* x, int k, byte* w, long stride, byte* ahead, float* xTail, float* wTails, float* y)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        byte* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        int i = 0;
        for (; i + Lanes.Count <= k; i += Lanes.Count, ahead += 4 * Lanes.Count * T.Size)
        {
            Vector512<float> v = Vector512.Load(x + i);
            long at = (long)i * T.Size;
            Ahead.Fetch128(ahead);
            a = Fma(v, T.Load(w + at), a);
            b = Fma(v, T.Load(w1 + at), b);
            c = Fma(v, T.Load(w2 + at), c);
            d = Fma(v, T.Load(w3 + at), d);
        }
        if (i < k)
        {
            Vector512<float> v = Vector512.Load(xTail);
            a = Fma(v, Vector512.Load(wTails), a);
            b = Fma(v, Vector512.Load(wTails + Lanes.Count), b);
            c = Fma(v, Vector512.Load(wTails + 2 * Lanes.Count), c);
            d = Fma(v, Vector512.Load(wTails + 3 * Lanes.Count), d);
        }
        Lanes.Sum4(a, b, c, d).Store(y);
    }

    private static void Tile4x4(FourRows x, int k, byte* w, long stride, byte* ahead, float* tails, FourRows y)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        Vector512<float> u, v0, v1, v2, v3;
        byte* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        float* xa = x.A, xb = x.B, xc = x.C, xd = x.D;
        int i = 0;
        for (; i + Lanes.Count <= k; i += Lanes.Count, ahead += 4 * Lanes.Count * T.Size)
        {
            Ahead.Fetch128(ahead);
            long at = (long)i * T.Size;
            (v0, v1, v2, v3) = (T.Load(w + at), T.Load(w1 + at), T.Load(w2 + at), T.Load(w3 + at));
            u = Vector512.Load(xa + i);
            (a0, a1, a2, a3) = (Fma(u, v0, a0), Fma(u, v1, a1), Fma(u, v2, a2), Fma(u, v3, a3));
            u = Vector512.Load(xb + i);
            (b0, b1, b2, b3) = (Fma(u, v0, b0), Fma(u, v1, b1), Fma(u, v2, b2), Fma(u, v3, b3));
            u = Vector512.Load(xc + i);
            (c0, c1, c2, c3) = (Fma(u, v0, c0), Fma(u, v1, c1), Fma(u, v2, c2), Fma(u, v3, c3));
            u = Vector512.Load(xd + i);
            (d0, d1, d2, d3) = (Fma(u, v0, d0), Fma(u, v1, d1), Fma(u, v2, d2), Fma(u, v3, d3));
        }
        if (i < k)
        {
            float* t = tails + TailOfW;
            (v0, v1) = (Vector512.Load(t), Vector512.Load(t + Lanes.Count));
            (v2, v3) = (Vector512.Load(t + 2 * Lanes.Count), Vector512.Load(t + 3 * Lanes.Count));
            u = Vector512.Load(tails);
            (a0, a1, a2, a3) = (Fma(u, v0, a0), Fma(u, v1, a1), Fma(u, v2, a2), Fma(u, v3, a3));
            u = Vector512.Load(tails + Lanes.Count);
            (b0, b1, b2, b3) = (Fma(u, v0, b0), Fma(u, v1, b1), Fma(u, v2, b2), Fma(u, v3, b3));
            u = Vector512.Load(tails + 2 * Lanes.Count);
            (c0, c1, c2, c3) = (Fma(u, v0, c0), Fma(u, v1, c1), Fma(u, v2, c2), Fma(u, v3, c3));
            u = Vector512.Load(tails + 3 * Lanes.Count);
            (d0, d1, d2, d3) = (Fma(u, v0, d0), Fma(u, v1, d1), Fma(u, v2, d2), Fma(u, v3, d3));
        }
        Lanes.Sum4(a0, a1, a2, a3).Store(y.A);
        Lanes.Sum4(b0, b1, b2, b3).Store(y.B);
        Lanes.Sum4(c0, c1, c2, c3).Store(y.C);
        Lanes.Sum4(d0, d1, d2, d3).Store(y.D);
    }

    private static void FillXTails(FourRows x, int k, float* tails)
    {
        int rest = k % Lanes.Count, from = k - rest;
        if (rest == 0) return;
        Lanes.LoadTail(x.A + from, rest).Store(tails);
        Lanes.LoadTail(x.B + from, rest).Store(tails + Lanes.Count);
        Lanes.LoadTail(x.C + from, rest).Store(tails + 2 * Lanes.Count);
        Lanes.LoadTail(x.D + from, rest).Store(tails + 3 * Lanes.Count);
    }

    private static void FillWTails(byte* w, long stride, int k, float* tails)
    {
        int rest = k % Lanes.Count;
        if (rest == 0) return;
        w += (long)(k - rest) * T.Size;
        for (int n = 0; n < 4; n++, w += stride) Lanes.LoadTail<T>(w, rest).Store(tails + TailOfW + n * Lanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> sum) =>
        Vector512.FusedMultiplyAdd(a, b, sum);
}
