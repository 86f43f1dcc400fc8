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

    /// <summary>sum += row, a host's rounded sum.</summary>
    public static void AddHost(RowType type, byte* row, float* sum, int hidden)
    {
        for (int i = 0; i < hidden; i++) sum[i] += type == RowType.Fp32 ? ((float*)row)[i] : RowCodec.Widen(((ushort*)row)[i]);
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
            Vector512<float> a = Vector512<float>.Zero, b = a;
            for (int r = 0; r < count; r++)
            {
                var (low, high) = Vector512.Widen(Vector512.Load(rows[r] + i));
                a += (low << 16).AsSingle();
                b += (high << 16).AsSingle();
            }
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
        for (int i = 0; i < hidden; i += 32)
        {
            Vector512<float> a = Vector512<float>.Zero, b = a;
            for (int r = 0; r < count; r++)
            {
                var (low, high) = Vector512.Widen(Vector512.Load(rows[r] + i));
                a += (low << 16).AsSingle();
                b += (high << 16).AsSingle();
            }
            Vector512.Narrow(RowCodec.Round(a.AsUInt32()), RowCodec.Round(b.AsUInt32())).Store(sum + i);
        }
    }
}
