using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Products of rows that were rounded to bf16 with bf16 weights, by <see cref="Emitted"/> code. For whole 32 columns only, and not for
/// short rows.
/// </summary>
internal static unsafe class HalfTiles
{
    /// <summary>Columns of a turn: rows must be multiples of it.</summary>
    public const int Step = 32;

    /// <summary>
    /// Columns from which on rows are rounded. Models of shorter rows are so small that their products are not what takes the time, and
    /// the rounding of a short sum evens out least: these keep all their bits.
    /// </summary>
    public const int Least = 320;

    /// <summary>Whether weights of so many columns are multiplied so.</summary>
    public static bool Suits(int columns) => columns >= Least && columns % Step == 0;

    /// <summary>See <see cref="Dots"/>; the rows are bf16.</summary>
    [SkipLocalsInit]
    public static void Rows(int rows, FourRows x, Weight* weight, int from, int outputs, FourRows y, byte* next)
    {
        Emitted.Call call;
        var ahead = new Ahead(weight->RowBytes, outputs, next);
        call.XA = (ushort*)x.A;
        call.XB = (ushort*)(rows > 1 ? x.B : x.A);
        call.XC = (ushort*)(rows > 2 ? x.C : x.A);
        call.XD = (ushort*)(rows > 3 ? x.D : x.A);
        call.Bytes = (long)weight->Columns * sizeof(ushort);
        float* sums = &call.Sums;
        for (int n = 0; n < outputs; n += 4)
        {
            byte* w = weight->Row(from + n);
            int count = Math.Min(4, outputs - n);
            call.W0 = w;
            call.W1 = count > 1 ? w + weight->RowBytes : w;
            call.W2 = count > 2 ? w + 2 * weight->RowBytes : w;
            call.W3 = count > 3 ? w + 3 * weight->RowBytes : w;
            call.Ahead = ahead.Of(n, w);
            if (rows == 1) Emitted.One(&call);
            else Emitted.Four(&call);
            Store(sums, y.A + n, count);
            if (rows > 1) Store(sums + 64, y.B + n, count);
            if (rows > 2) Store(sums + 128, y.C + n, count);
            if (rows > 3) Store(sums + 192, y.D + n, count);
        }
    }

    /// <summary>x: [rows, columns]; to: the same in bf16, to nearest even.</summary>
    public static void Round(float* x, ushort* to, int count)
    {
        for (int i = 0; i < count; i += Lanes.Count)
        {
            Vector512<float> v = Vector512.Load(x + i);
            Vector512<uint> bits = v.AsUInt32();
            Vector512<uint> rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
            rounded = Vector512.ConditionalSelect(Vector512.Equals(v, v).AsUInt32(), rounded, Vector512.Create(0x7FC0u));
            Vector512.Narrow(rounded, rounded).GetLower().Store(to + i);
        }
    }

    private static void Store(float* sums, float* to, int count)
    {
        Vector128<float> y = Lanes.Sum4(
            Vector512.Load(sums), Vector512.Load(sums + 16), Vector512.Load(sums + 32), Vector512.Load(sums + 48));
        if (count == 4) y.Store(to);
        else
            for (int i = 0; i < count; i++) to[i] = y[i];
    }
}
