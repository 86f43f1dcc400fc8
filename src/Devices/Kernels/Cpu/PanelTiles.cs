using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Integer products of a group of 32 columns: 16 outputs of a panel, one to a lane, with one or four rows of x. Sums of integers are exact,
/// so instructions of other widths change no bit.
/// </summary>
internal unsafe interface IPanel
{
    /// <summary>Bytes of the values of a group, for all 16 outputs.</summary>
    static abstract int Bytes { get; }

    /// <summary>The sums with one row, whose group begins at an address.</summary>
    static abstract Vector512<int> Sum(byte* w, short* x);

    /// <summary>The same with four rows.</summary>
    static abstract void Sum4(byte* w, short* xa, short* xb, short* xc, short* xd,
        out Vector512<int> a, out Vector512<int> b, out Vector512<int> c, out Vector512<int> d);
}

/// <summary>
/// Products of rows with Int8 and Int4 weights. A panel has 16 outputs, so that no sum is across lanes; rows of x are integers too, see
/// <see cref="QuantisedRows"/>. y = sum over the groups, ascending, of the integers' sum x (scale of w x scale of x), fused.
/// </summary>
internal static unsafe class PanelTiles<T> where T : IPanel
{
    private const int Outputs = Quantised.PanelRows, Scales = Outputs * sizeof(ushort), Distance = 4096;

    /// <summary>See <see cref="Dots"/>; the rows are those of <see cref="QuantisedRows"/>, the first output is a multiple of 16.</summary>
    public static void Rows(int rows, FourRows x, Weight* weight, int from, int outputs, FourRows y, byte* next)
    {
        if (rows < 4)
        {
            x.D = rows == 3 ? x.C : x.A;
            x.C = rows >= 3 ? x.C : x.A;
            x.B = rows >= 2 ? x.B : x.A;
        }
        float* lanes = stackalloc float[4 * Outputs];
        byte* end = weight->Row(from + (outputs + Outputs - 1) / Outputs * Outputs);
        for (int n = 0; n < outputs; n += Outputs)
        {
            byte* panel = weight->Row(from + n);
            int count = Math.Min(Outputs, outputs - n);
            if (rows == 1) One(panel, weight->Columns, (byte*)x.A, end, next).Store(lanes);
            else Four(panel, weight->Columns, x, end, next, lanes);
            for (int r = 0; r < rows; r++)
            {
                float* to = (r switch { 0 => y.A, 1 => y.B, 2 => y.C, _ => y.D }) + n;
                if (count == Outputs) Vector512.Load(lanes + r * Outputs).Store(to);
                else new ReadOnlySpan<float>(lanes + r * Outputs, count).CopyTo(new Span<float>(to, count));
            }
        }
    }

    private static Vector512<float> One(byte* w, int columns, byte* x, byte* end, byte* next)
    {
        int groups = Quantised.Groups(columns);
        var values = (short*)x;
        float* shares = QuantisedRows.Scales(x, groups);
        var scales = (ushort*)(w + groups * T.Bytes);
        Vector512<float> sum = default;
        for (int g = 0; g < groups; g++, w += T.Bytes, values += Elements.Group, scales += Outputs)
        {
            Fetch(w + Distance + g * Scales, end, next);
            Vector512<float> scale = StoredBf16.Load((byte*)scales) * Vector512.Create(shares[g]);
            sum = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(T.Sum(w, values)), scale, sum);
        }
        return sum;
    }

    private static void Four(byte* w, int columns, FourRows x, byte* end, byte* next, float* to)
    {
        int groups = Quantised.Groups(columns);
        short* xa = (short*)x.A, xb = (short*)x.B, xc = (short*)x.C, xd = (short*)x.D;
        float* sa = QuantisedRows.Scales((byte*)x.A, groups), sb = QuantisedRows.Scales((byte*)x.B, groups);
        float* sc = QuantisedRows.Scales((byte*)x.C, groups), sd = QuantisedRows.Scales((byte*)x.D, groups);
        var scales = (ushort*)(w + groups * T.Bytes);
        Vector512<float> a = default, b = default, c = default, d = default;
        for (int g = 0; g < groups; g++, w += T.Bytes, scales += Outputs)
        {
            Fetch(w + Distance + g * Scales, end, next);
            T.Sum4(w, xa, xb, xc, xd, out Vector512<int> ia, out Vector512<int> ib, out Vector512<int> ic, out Vector512<int> id);
            Vector512<float> scale = StoredBf16.Load((byte*)scales);
            a = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(ia), scale * Vector512.Create(sa[g]), a);
            b = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(ib), scale * Vector512.Create(sb[g]), b);
            c = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(ic), scale * Vector512.Create(sc[g]), c);
            d = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(id), scale * Vector512.Create(sd[g]), d);
            xa += Elements.Group;
            xb += Elements.Group;
            xc += Elements.Group;
            xd += Elements.Group;
        }
        a.Store(to);
        b.Store(to + Outputs);
        c.Store(to + 2 * Outputs);
        d.Store(to + 3 * Outputs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* at, byte* end, byte* next)
    {
        if (at >= end) at = next + (at - end);
        for (int line = 0; line < T.Bytes + Scales; line += 64) Ahead.Fetch64(at + line);
    }
}

/// <summary>
/// Int8: 16 pairs of columns, each [output, 2]. Two products of a pair are summed as 32 bits.
/// </summary>
internal unsafe struct PanelInt8 : IPanel
{
    public static int Bytes => Elements.Group * Quantised.PanelRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Sum(byte* w, short* x)
    {
        Vector512<int> even = default, odd = default;
        for (int pair = 0; pair < 16; pair += 2)
        {
            even += Multiply(Widen(w + pair * 32), x + pair * 2);
            odd += Multiply(Widen(w + pair * 32 + 32), x + pair * 2 + 2);
        }
        return even + odd;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(byte* w, short* xa, short* xb, short* xc, short* xd,
        out Vector512<int> a, out Vector512<int> b, out Vector512<int> c, out Vector512<int> d)
    {
        a = b = c = d = default;
        for (int pair = 0; pair < 16; pair++)
        {
            Vector512<short> v = Widen(w + pair * 32);
            a += Multiply(v, xa + pair * 2);
            b += Multiply(v, xb + pair * 2);
            c += Multiply(v, xc + pair * 2);
            d += Multiply(v, xd + pair * 2);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Widen(byte* w) => Avx512BW.IsSupported
        ? Avx512BW.ConvertToVector512Int16(Vector256.Load((sbyte*)w))
        : Vector512.WidenLower(Vector256.Load((sbyte*)w).ToVector512Unsafe());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Multiply(Vector512<short> w, short* pair)
    {
        if (Avx512BW.IsSupported) return Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(*(int*)pair).AsInt16());
        Vector512<int> both = w.AsInt32();
        return ((both << 16) >> 16) * Vector512.Create((int)pair[0]) + (both >> 16) * Vector512.Create((int)pair[1]);
    }
}

/// <summary>
/// Int4: four times 64 bytes of [output, 4]; the lower halves are columns 4z to 4z + 3, the upper ones 16 more. Values are stored plus 8.
/// The products of eight fours fit into 16 bits (8 x 2 x 15 x 127 &lt; 2^15), which are summed once.
/// </summary>
internal unsafe struct PanelInt4 : IPanel
{
    public static int Bytes => Elements.Group / 2 * Quantised.PanelRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Sum(byte* w, short* x)
    {
        var bytes = (sbyte*)x;
        if (!Avx512BW.IsSupported) return Slow(w, bytes);
        Vector512<short> even = default, odd = default;
        for (int z = 0; z < 4; z++)
        {
            Vector512<byte> both = Vector512.Load(w + z * 64);
            even += Multiply(Low(both), bytes + z * 4);
            odd += Multiply(High(both), bytes + z * 4 + 16);
        }
        return Avx512BW.MultiplyAddAdjacent(even + odd, Vector512<short>.One) - Vector512.Create(*(int*)(bytes + Elements.Group));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(byte* w, short* xa, short* xb, short* xc, short* xd,
        out Vector512<int> a, out Vector512<int> b, out Vector512<int> c, out Vector512<int> d)
    {
        sbyte* pa = (sbyte*)xa, pb = (sbyte*)xb, pc = (sbyte*)xc, pd = (sbyte*)xd;
        if (!Avx512BW.IsSupported)
        {
            (a, b, c, d) = (Slow(w, pa), Slow(w, pb), Slow(w, pc), Slow(w, pd));
            return;
        }
        Vector512<short> sa = default, sb = default, sc = default, sd = default;
        for (int z = 0; z < 4; z++)
        {
            Vector512<byte> both = Vector512.Load(w + z * 64), low = Low(both), high = High(both);
            sa += Multiply(low, pa + z * 4) + Multiply(high, pa + z * 4 + 16);
            sb += Multiply(low, pb + z * 4) + Multiply(high, pb + z * 4 + 16);
            sc += Multiply(low, pc + z * 4) + Multiply(high, pc + z * 4 + 16);
            sd += Multiply(low, pd + z * 4) + Multiply(high, pd + z * 4 + 16);
        }
        a = Avx512BW.MultiplyAddAdjacent(sa, Vector512<short>.One) - Vector512.Create(*(int*)(pa + Elements.Group));
        b = Avx512BW.MultiplyAddAdjacent(sb, Vector512<short>.One) - Vector512.Create(*(int*)(pb + Elements.Group));
        c = Avx512BW.MultiplyAddAdjacent(sc, Vector512<short>.One) - Vector512.Create(*(int*)(pc + Elements.Group));
        d = Avx512BW.MultiplyAddAdjacent(sd, Vector512<short>.One) - Vector512.Create(*(int*)(pd + Elements.Group));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Low(Vector512<byte> both) => both & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> High(Vector512<byte> both) => (both.AsUInt16() >>> 4).AsByte() & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Multiply(Vector512<byte> w, sbyte* four) =>
        Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(*(int*)four).AsSByte());

    private static Vector512<int> Slow(byte* w, sbyte* x)
    {
        Vector512<int> sum = default;
        for (int z = 0; z < 4; z++)
        {
            Vector512<int> eight = Vector512.Load((int*)(w + z * 64));
            for (int j = 0; j < 4; j++)
            {
                sum += ((eight >>> (8 * j)) & Vector512.Create(15)) * Vector512.Create((int)x[z * 4 + j]);
                sum += ((eight >>> (8 * j + 4)) & Vector512.Create(15)) * Vector512.Create((int)x[z * 4 + j + 16]);
            }
        }
        return sum - Vector512.Create(*(int*)(x + Elements.Group));
    }
}
