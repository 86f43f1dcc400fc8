using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.All2All;

/// <summary>
/// The one order in which partial sums are added, whatever the strategy: from +0, ranks in ascending order within a host; where there are
/// several hosts, each host's sum is rounded to the partial sums' type and the hosts are added in ascending order. All in fp32.
/// </summary>
internal static unsafe class PartialSums
{
    /// <summary>sum = the rows added up; all of one host. rows: pointers to <paramref name="count"/> rows, ranks ascending.</summary>
    public static void Add(RowType type, byte** rows, int count, float* sum, int hidden)
    {
        if (type == RowType.Fp32) AddFp32((float**)rows, count, sum, hidden);
        else AddBf16((ushort**)rows, count, sum, hidden);
    }

    /// <summary>The same with a result of bf16, rounded once.</summary>
    public static void Add(RowType type, byte** rows, int count, ushort* sum, int hidden, float* room)
    {
        if (type == RowType.Bf16 && hidden % 32 == 0)
        {
            AddBf16((ushort**)rows, count, sum, hidden);
            return;
        }
        Add(type, rows, count, room, hidden);
        RowCodec.Narrow(room, sum, hidden);
    }

    /// <summary>sum += row, as a host's rounded sum.</summary>
    public static void AddHost(RowType type, byte* row, float* sum, int hidden)
    {
        int i = 0;
        for (; i <= hidden - 16; i += 16)
        {
            var values = type == RowType.Fp32 ? Vector512.Load((float*)row + i) : Load((ushort*)row + i);
            (Vector512.Load(sum + i) + values).Store(sum + i);
        }
        for (; i < hidden; i++) sum[i] += type == RowType.Fp32 ? ((float*)row)[i] : RowCodec.Widen(((ushort*)row)[i]);
    }

    private static void AddFp32(float** rows, int count, float* sum, int hidden)
    {
        int i = 0;
        for (; i <= hidden - 32; i += 32)
        {
            Vector512<float> a = Vector512<float>.Zero, b = a;
            for (int r = 0; r < count; r++)
            {
                a += Vector512.Load(rows[r] + i);
                b += Vector512.Load(rows[r] + i + 16);
            }
            a.Store(sum + i);
            b.Store(sum + i + 16);
        }
        for (; i < hidden; i++)
        {
            float value = 0;
            for (int r = 0; r < count; r++) value += rows[r][i];
            sum[i] = value;
        }
    }

    private static void AddBf16(ushort** rows, int count, float* sum, int hidden)
    {
        int i = 0;
        for (; i <= hidden - 32; i += 32)
        {
            Vector512<float> a = Sum(rows, count, i), b = Sum(rows, count, i + 16);
            a.Store(sum + i);
            b.Store(sum + i + 16);
        }
        for (; i < hidden; i++)
        {
            float value = 0;
            for (int r = 0; r < count; r++) value += RowCodec.Widen(rows[r][i]);
            sum[i] = value;
        }
    }

    private static void AddBf16(ushort** rows, int count, ushort* sum, int hidden)
    {
        if (count == 2)
        {
            // Two ranks hold nearly every row's experts where there are two: worth a loop of its own.
            (nint first, nint second) = ((nint)rows[0], (nint)rows[1]);
            for (int i = 0; i < hidden; i += 32)
            {
                var a = Vector512<float>.Zero + Load((ushort*)first + i) + Load((ushort*)second + i);
                var b = Vector512<float>.Zero + Load((ushort*)first + i + 16) + Load((ushort*)second + i + 16);
                Vector512.Narrow(RowCodec.Round(a), RowCodec.Round(b)).Store(sum + i);
            }
            return;
        }
        for (int i = 0; i < hidden; i += 32)
            Vector512.Narrow(RowCodec.Round(Sum(rows, count, i)), RowCodec.Round(Sum(rows, count, i + 16))).Store(sum + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sum(ushort** rows, int count, int at)
    {
        var sum = Vector512<float>.Zero;
        for (int r = 0; r < count; r++) sum += Load(rows[r] + at);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(ushort* row) =>
        (Vector512.WidenLower(Vector256.Load(row).ToVector512Unsafe()) << 16).AsSingle();
}
