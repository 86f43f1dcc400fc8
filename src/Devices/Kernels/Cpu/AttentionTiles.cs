using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The two products of attention over a tile of 64 positions, for four queries or one. Four queries times four vectors are 16 sums in
/// registers, so that each load of a key or value serves four products and each broadcast too. A sum takes its products one by one in the
/// order of a key's values, or of positions: whichever loop makes it, the bits are the same.
/// </summary>
internal static unsafe class AttentionTiles<T> where T : IStored
{
    /// <summary>Positions of a tile, and what scores of one query and the next are apart.</summary>
    public const int Tile = 64;

    private const int Group = Lanes.Count;

    /// <summary>
    /// scores[q, position] = scale x query q . key, for 4 queries and the positions of some groups. keys: for each group of 16 positions
    /// [size, 16]; scores: [4, 64].
    /// </summary>
    public static void Score4(FourRows queries, byte** keys, int firstGroup, int endGroup, int size, float scale, float* scores)
    {
        if (firstGroup == 0 && endGroup == Tile / Group) Score4X4(queries, keys, size, scale, scores);
        else for (int g = firstGroup; g < endGroup; g++) Score4X1(queries, keys[g], size, scale, scores + g * Group);
    }

    /// <summary>The same for one query.</summary>
    public static void Score1(float* query, byte** keys, int firstGroup, int endGroup, int size, float scale, float* scores)
    {
        if (firstGroup == 0 && endGroup == Tile / Group) Score1X4(query, keys, size, scale, scores);
        else for (int g = firstGroup; g < endGroup; g++) Score1X1(query, keys[g], size, scale, scores + g * Group);
    }

    /// <summary>
    /// sums[q] = factors[q] x sums[q] + the sum over positions of p[q, position] x value, for 4 queries. values: for each group of 16
    /// positions [16, stride]; p: [4, 64]; sums: [4, stride].
    /// </summary>
    public static void Add4(float* p, byte** values, int from, int to, int stride, float* sums, float* factors)
    {
        int column = 0;
        for (; column + 4 * Group <= stride; column += 4 * Group) Add4X4(p, values, from, to, stride, column, sums + column, factors);
        for (; column < stride; column += Group) Add4X1(p, values, from, to, stride, column, sums + column, factors);
    }

    /// <summary>The same for one query.</summary>
    public static void Add1(float* p, byte** values, int from, int to, int stride, float* sums, float factor)
    {
        int column = 0;
        for (; column + 4 * Group <= stride; column += 4 * Group) Add1X4(p, values, from, to, stride, column, sums + column, factor);
        for (; column < stride; column += Group) Add1X1(p, values, from, to, stride, column, sums + column, factor);
    }

    private static void Score4X4(FourRows queries, byte** keys, int size, float scale, float* scores)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        Vector512<float> u, k0, k1, k2, k3;
        byte* g0 = keys[0], g1 = keys[1], g2 = keys[2], g3 = keys[3];
        float* qa = queries.A, qb = queries.B, qc = queries.C, qd = queries.D;
        for (nint i = 0, at = 0; i < size; i++, at += Group * T.Size)
        {
            (k0, k1, k2, k3) = (T.Load(g0 + at), T.Load(g1 + at), T.Load(g2 + at), T.Load(g3 + at));
            u = Vector512.Create(qa[i]);
            (a0, a1, a2, a3) = (Fma(u, k0, a0), Fma(u, k1, a1), Fma(u, k2, a2), Fma(u, k3, a3));
            u = Vector512.Create(qb[i]);
            (b0, b1, b2, b3) = (Fma(u, k0, b0), Fma(u, k1, b1), Fma(u, k2, b2), Fma(u, k3, b3));
            u = Vector512.Create(qc[i]);
            (c0, c1, c2, c3) = (Fma(u, k0, c0), Fma(u, k1, c1), Fma(u, k2, c2), Fma(u, k3, c3));
            u = Vector512.Create(qd[i]);
            (d0, d1, d2, d3) = (Fma(u, k0, d0), Fma(u, k1, d1), Fma(u, k2, d2), Fma(u, k3, d3));
        }
        Store(a0 * scale, a1 * scale, a2 * scale, a3 * scale, scores, Group);
        Store(b0 * scale, b1 * scale, b2 * scale, b3 * scale, scores + Tile, Group);
        Store(c0 * scale, c1 * scale, c2 * scale, c3 * scale, scores + 2 * Tile, Group);
        Store(d0 * scale, d1 * scale, d2 * scale, d3 * scale, scores + 3 * Tile, Group);
    }

    private static void Score4X1(FourRows queries, byte* keys, int size, float scale, float* scores)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        float* qa = queries.A, qb = queries.B, qc = queries.C, qd = queries.D;
        for (nint i = 0; i < size; i++, keys += Group * T.Size)
        {
            Vector512<float> k = T.Load(keys);
            a = Fma(Vector512.Create(qa[i]), k, a);
            b = Fma(Vector512.Create(qb[i]), k, b);
            c = Fma(Vector512.Create(qc[i]), k, c);
            d = Fma(Vector512.Create(qd[i]), k, d);
        }
        Store(a * scale, b * scale, c * scale, d * scale, scores, Tile);
    }

    private static void Score1X4(float* query, byte** keys, int size, float scale, float* scores)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        byte* g0 = keys[0], g1 = keys[1], g2 = keys[2], g3 = keys[3];
        for (nint i = 0, at = 0; i < size; i++, at += Group * T.Size)
        {
            Vector512<float> u = Vector512.Create(query[i]);
            a = Fma(u, T.Load(g0 + at), a);
            b = Fma(u, T.Load(g1 + at), b);
            c = Fma(u, T.Load(g2 + at), c);
            d = Fma(u, T.Load(g3 + at), d);
        }
        Store(a * scale, b * scale, c * scale, d * scale, scores, Group);
    }

    private static void Score1X1(float* query, byte* keys, int size, float scale, float* scores)
    {
        Vector512<float> a = default;
        for (nint i = 0; i < size; i++, keys += Group * T.Size) a = Fma(Vector512.Create(query[i]), T.Load(keys), a);
        (a * scale).Store(scores);
    }

    private static void Add4X4(float* p, byte** values, int from, int to, int stride, int column, float* sums, float* factors)
    {
        float* sb = sums + stride, sc = sb + stride, sd = sc + stride;
        Vector512<float> a0 = Scaled(sums, 0, factors[0]), a1 = Scaled(sums, 1, factors[0]), a2 = Scaled(sums, 2, factors[0]);
        Vector512<float> b0 = Scaled(sb, 0, factors[1]), b1 = Scaled(sb, 1, factors[1]), b2 = Scaled(sb, 2, factors[1]);
        Vector512<float> c0 = Scaled(sc, 0, factors[2]), c1 = Scaled(sc, 1, factors[2]), c2 = Scaled(sc, 2, factors[2]);
        Vector512<float> d0 = Scaled(sd, 0, factors[3]), d1 = Scaled(sd, 1, factors[3]), d2 = Scaled(sd, 2, factors[3]);
        Vector512<float> a3 = Scaled(sums, 3, factors[0]), b3 = Scaled(sb, 3, factors[1]);
        Vector512<float> c3 = Scaled(sc, 3, factors[2]), d3 = Scaled(sd, 3, factors[3]);
        Vector512<float> u, v0, v1, v2, v3;
        for (int end; from < to; from = end)
        {
            byte* row = values[from / Group] + ((long)(from % Group) * stride + column) * T.Size;
            end = Math.Min((from / Group + 1) * Group, to);
            for (float* q = p + from, last = p + end; q < last; q++, row += stride * T.Size)
            {
                (v0, v1) = (T.Load(row), T.Load(row + Group * T.Size));
                (v2, v3) = (T.Load(row + 2 * Group * T.Size), T.Load(row + 3 * Group * T.Size));
                u = Vector512.Create(q[0]);
                (a0, a1, a2, a3) = (Fma(u, v0, a0), Fma(u, v1, a1), Fma(u, v2, a2), Fma(u, v3, a3));
                u = Vector512.Create(q[Tile]);
                (b0, b1, b2, b3) = (Fma(u, v0, b0), Fma(u, v1, b1), Fma(u, v2, b2), Fma(u, v3, b3));
                u = Vector512.Create(q[2 * Tile]);
                (c0, c1, c2, c3) = (Fma(u, v0, c0), Fma(u, v1, c1), Fma(u, v2, c2), Fma(u, v3, c3));
                u = Vector512.Create(q[3 * Tile]);
                (d0, d1, d2, d3) = (Fma(u, v0, d0), Fma(u, v1, d1), Fma(u, v2, d2), Fma(u, v3, d3));
            }
        }
        Store(a0, a1, a2, a3, sums, Group);
        Store(b0, b1, b2, b3, sb, Group);
        Store(c0, c1, c2, c3, sc, Group);
        Store(d0, d1, d2, d3, sd, Group);
    }

    private static void Add4X1(float* p, byte** values, int from, int to, int stride, int column, float* sums, float* factors)
    {
        Vector512<float> a = Scaled(sums, 0, factors[0]), b = Scaled(sums + stride, 0, factors[1]);
        Vector512<float> c = Scaled(sums + 2 * stride, 0, factors[2]), d = Scaled(sums + 3 * stride, 0, factors[3]);
        for (int end; from < to; from = end)
        {
            byte* row = values[from / Group] + ((long)(from % Group) * stride + column) * T.Size;
            end = Math.Min((from / Group + 1) * Group, to);
            for (float* q = p + from, last = p + end; q < last; q++, row += stride * T.Size)
            {
                Vector512<float> v = T.Load(row);
                a = Fma(Vector512.Create(q[0]), v, a);
                b = Fma(Vector512.Create(q[Tile]), v, b);
                c = Fma(Vector512.Create(q[2 * Tile]), v, c);
                d = Fma(Vector512.Create(q[3 * Tile]), v, d);
            }
        }
        Store(a, b, c, d, sums, stride);
    }

    private static void Add1X4(float* p, byte** values, int from, int to, int stride, int column, float* sums, float factor)
    {
        Vector512<float> a = Scaled(sums, 0, factor), b = Scaled(sums, 1, factor);
        Vector512<float> c = Scaled(sums, 2, factor), d = Scaled(sums, 3, factor);
        for (int end; from < to; from = end)
        {
            byte* row = values[from / Group] + ((long)(from % Group) * stride + column) * T.Size;
            end = Math.Min((from / Group + 1) * Group, to);
            for (float* q = p + from, last = p + end; q < last; q++, row += stride * T.Size)
            {
                Vector512<float> u = Vector512.Create(*q);
                a = Fma(u, T.Load(row), a);
                b = Fma(u, T.Load(row + Group * T.Size), b);
                c = Fma(u, T.Load(row + 2 * Group * T.Size), c);
                d = Fma(u, T.Load(row + 3 * Group * T.Size), d);
            }
        }
        Store(a, b, c, d, sums, Group);
    }

    private static void Add1X1(float* p, byte** values, int from, int to, int stride, int column, float* sums, float factor)
    {
        Vector512<float> a = Scaled(sums, 0, factor);
        for (; from < to; from++)
        {
            byte* row = values[from / Group] + ((long)(from % Group) * stride + column) * T.Size;
            a = Fma(Vector512.Create(p[from]), T.Load(row), a);
        }
        a.Store(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scaled(float* sums, int vector, float factor) => Vector512.Load(sums + vector * Group) * factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, int apart)
    {
        a.Store(to);
        b.Store(to + apart);
        c.Store(to + 2 * apart);
        d.Store(to + 3 * apart);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> sum) =>
        Vector512.FusedMultiplyAdd(a, b, sum);
}
