using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Dot products of rows with weights that have scales, as <see cref="DotTiles{T}"/> does them: 32 columns a turn, each weight times its
/// scale first, then one fused product to each of 16 sums. So a block of another size changes no bit here either.
/// </summary>
internal static unsafe class GroupTiles<T> where T : IGrouped
{
    // The last columns, filled up with zeros to 32: four rows of x, then four of w.
    private const int Step = Elements.Group, TailFloats = 8 * Step, TailOfW = 4 * Step;

    /// <summary>y[r, n - from] = x[r] . w[n] for 1 to 4 rows and some outputs of a weight.</summary>
    [SkipLocalsInit]
    public static void Rows(int rows, FourRows x, Weight* weight, int from, int outputs, FourRows y, byte* next)
    {
        var ahead = new Ahead(weight->RowBytes, outputs, next);
        if (rows < 4)
        {
            x.D = rows == 3 ? x.C : x.A;
            y.D = rows == 3 ? y.C : y.A;
        }
        float* tails = stackalloc float[TailFloats];
        int rest = weight->Columns % Step;
        if (rest > 0) FillXTails(rows, x, weight->Columns, tails);
        int n = 0;
        for (; n + 4 <= outputs; n += 4)
        {
            if (rest > 0) FillWTails(weight, from + n, 4, tails + TailOfW);
            byte* at = ahead.Of(n, weight->Row(from + n));
            if (rows > 2)
            {
                Tile4(x, weight, from + n, at, tails, new FourRows(y.A + n, y.B + n, y.C + n, y.D + n));
                continue;
            }
            Tile1(x.A, weight, from + n, at, tails, tails + TailOfW, y.A + n);
            if (rows == 2) Tile1(x.B, weight, from + n, at, tails + Step, tails + TailOfW, y.B + n);
        }
        for (; n < outputs; n++)
        {
            if (rest > 0) FillWTails(weight, from + n, 1, tails + TailOfW);
            y.A[n] = One(x.A, weight, from + n, tails, tails + TailOfW);
            if (rows > 1) y.B[n] = One(x.B, weight, from + n, tails + Step, tails + TailOfW);
            if (rows > 2) y.C[n] = One(x.C, weight, from + n, tails + 2 * Step, tails + TailOfW);
            if (rows > 3) y.D[n] = One(x.D, weight, from + n, tails + 3 * Step, tails + TailOfW);
        }
    }

    private static float One(float* x, Weight* weight, int row, float* xTail, float* wTail)
    {
        (int k, int skip) = (weight->Columns, weight->FirstColumn);
        byte* w = weight->Row(row), s = weight->ScaleRow(row);
        Vector512<float> sum = default;
        int i = 0;
        for (; i + Step <= k; i += Step)
        {
            T.Load(w, s, i, skip, out Vector512<float> low, out Vector512<float> high);
            sum = Fma(Vector512.Load(x + i + Lanes.Count), high, Fma(Vector512.Load(x + i), low, sum));
        }
        if (i < k) sum = Tail(xTail, wTail, sum);
        return Lanes.Sum(sum);
    }

    private static void Tile1(float* x, Weight* weight, int row, byte* ahead, float* xTail, float* wTails, float* y)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        byte* w0 = weight->Row(row), w1 = weight->Row(row + 1), w2 = weight->Row(row + 2), w3 = weight->Row(row + 3);
        byte* s0 = weight->ScaleRow(row), s1 = weight->ScaleRow(row + 1), s2 = weight->ScaleRow(row + 2), s3 = weight->ScaleRow(row + 3);
        (int k, int skip) = (weight->Columns, weight->FirstColumn);
        int i = 0;
        for (; i + Step <= k; i += Step, ahead += 4 * T.Bytes)
        {
            if (T.Bytes > 16) Ahead.Fetch128(ahead);
            else Ahead.Fetch64(ahead);
            Vector512<float> u = Vector512.Load(x + i), v = Vector512.Load(x + i + Lanes.Count);
            T.Load(w0, s0, i, skip, out Vector512<float> low, out Vector512<float> high);
            a = Fma(v, high, Fma(u, low, a));
            T.Load(w1, s1, i, skip, out low, out high);
            b = Fma(v, high, Fma(u, low, b));
            T.Load(w2, s2, i, skip, out low, out high);
            c = Fma(v, high, Fma(u, low, c));
            T.Load(w3, s3, i, skip, out low, out high);
            d = Fma(v, high, Fma(u, low, d));
        }
        if (i < k)
        {
            (a, b) = (Tail(xTail, wTails, a), Tail(xTail, wTails + Step, b));
            (c, d) = (Tail(xTail, wTails + 2 * Step, c), Tail(xTail, wTails + 3 * Step, d));
        }
        Lanes.Sum4(a, b, c, d).Store(y);
    }

    // Four rows times two outputs at a time: with four the sums and the values being expanded are more than there are registers.
    private static void Tile4(FourRows x, Weight* weight, int row, byte* ahead, float* tails, FourRows y)
    {
        for (int half = 0; half < 4; half += 2)
        {
            Tile4x2(x, weight, row + half, ahead + half * weight->RowBytes, tails, tails + TailOfW + half * Step,
                new FourRows(y.A + half, y.B + half, y.C + half, y.D + half));
        }
    }

    private static void Tile4x2(FourRows x, Weight* weight, int row, byte* ahead, float* xTails, float* wTails, FourRows y)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        byte* w0 = weight->Row(row), w1 = weight->Row(row + 1), s0 = weight->ScaleRow(row), s1 = weight->ScaleRow(row + 1);
        (int k, int skip) = (weight->Columns, weight->FirstColumn);
        float* xa = x.A, xb = x.B, xc = x.C, xd = x.D;
        int i = 0;
        for (; i + Step <= k; i += Step, ahead += 2 * T.Bytes)
        {
            Ahead.Fetch64(ahead);
            T.Load(w0, s0, i, skip, out Vector512<float> low0, out Vector512<float> high0);
            T.Load(w1, s1, i, skip, out Vector512<float> low1, out Vector512<float> high1);
            Vector512<float> u = Vector512.Load(xa + i), v = Vector512.Load(xa + i + Lanes.Count);
            (a0, a1) = (Fma(v, high0, Fma(u, low0, a0)), Fma(v, high1, Fma(u, low1, a1)));
            (u, v) = (Vector512.Load(xb + i), Vector512.Load(xb + i + Lanes.Count));
            (b0, b1) = (Fma(v, high0, Fma(u, low0, b0)), Fma(v, high1, Fma(u, low1, b1)));
            (u, v) = (Vector512.Load(xc + i), Vector512.Load(xc + i + Lanes.Count));
            (c0, c1) = (Fma(v, high0, Fma(u, low0, c0)), Fma(v, high1, Fma(u, low1, c1)));
            (u, v) = (Vector512.Load(xd + i), Vector512.Load(xd + i + Lanes.Count));
            (d0, d1) = (Fma(v, high0, Fma(u, low0, d0)), Fma(v, high1, Fma(u, low1, d1)));
        }
        if (i < k)
        {
            float* second = wTails + Step;
            (a0, a1) = (Tail(xTails, wTails, a0), Tail(xTails, second, a1));
            (b0, b1) = (Tail(xTails + Step, wTails, b0), Tail(xTails + Step, second, b1));
            (c0, c1) = (Tail(xTails + 2 * Step, wTails, c0), Tail(xTails + 2 * Step, second, c1));
            (d0, d1) = (Tail(xTails + 3 * Step, wTails, d0), Tail(xTails + 3 * Step, second, d1));
        }
        Vector128<float> ab = Lanes.Sum4(a0, a1, b0, b1), cd = Lanes.Sum4(c0, c1, d0, d1);
        (y.A[0], y.A[1], y.B[0], y.B[1]) = (ab[0], ab[1], ab[2], ab[3]);
        (y.C[0], y.C[1], y.D[0], y.D[1]) = (cd[0], cd[1], cd[2], cd[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Tail(float* x, float* w, Vector512<float> sum) =>
        Fma(Vector512.Load(x + Lanes.Count), Vector512.Load(w + Lanes.Count), Fma(Vector512.Load(x), Vector512.Load(w), sum));

    private static void FillXTails(int rows, FourRows x, int k, float* tails)
    {
        int rest = k % Step, from = k - rest;
        for (int r = 0; r < 4; r++)
        {
            float* row = r switch { 0 => x.A, 1 => x.B, 2 => x.C, _ => x.D };
            for (int i = 0; i < Step; i++) tails[r * Step + i] = i < rest && (r < rows || r == 3) ? row[from + i] : 0;
        }
    }

    private static void FillWTails(Weight* weight, int row, int outputs, float* tails)
    {
        int rest = weight->Columns % Step, from = weight->Columns - rest;
        for (int n = 0; n < outputs; n++)
            for (int i = 0; i < Step; i++) tails[n * Step + i] = i < rest ? (*weight)[row + n, from + i] : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> sum) =>
        Vector512.FusedMultiplyAdd(a, b, sum);
}
