using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>What rows are turned into before they meet a weight: decided by its type alone, never by how many rows there are.</summary>
internal enum Operand
{
    /// <summary>Nothing: fp32.</summary>
    Floats,

    /// <summary>bf16, for <see cref="ElementType.PackedBf16"/>.</summary>
    Halves,

    /// <summary>Integers with scales, for <see cref="ElementType.Int8"/> and <see cref="ElementType.Int4"/>.</summary>
    Integers,
}

/// <summary>
/// Makes operands, with zeros where columns fill up a panel. Halves: bf16. Integers: for each group of 32 columns 32 signed bytes (see
/// <see cref="Quantised.Round"/>), then the sum of them times minus what is added to the weights' integers, then their scale.
/// </summary>
internal static unsafe class Operands
{
    /// <summary>Bytes of a group of integers, and where in it the correction and the scale are.</summary>
    public const int GroupBytes = 40, CorrectionAt = 32, ScaleAt = 36;

    private struct Job
    {
        public float* X;
        public byte* To;
        public ElementType Type;
        public int Columns;
    }

    /// <summary>What a type of weight wants.</summary>
    public static Operand Of(ElementType type) => type switch
    {
        ElementType.PackedBf16 => Operand.Halves,
        ElementType.Int8 or ElementType.Int4 => Operand.Integers,
        _ => Operand.Floats,
    };

    /// <summary>Bytes of a row for a type of weight.</summary>
    public static long Stride(ElementType type, int columns) => Of(type) switch
    {
        Operand.Halves => Apart(Panels.WholeColumns(type, columns) * sizeof(ushort)),
        Operand.Integers => Panels.WholeColumns(type, columns) / Elements.Group * GroupBytes,
        _ => (long)columns * sizeof(float),
    };

    // Rows a page apart would all fall into one set of the first-level cache.
    private static long Apart(long bytes) => bytes % 4096 == 0 ? bytes + 64 : bytes;

    /// <summary>Bytes of room that operands of rows take; none for fp32, which stay where they are.</summary>
    public static long Room(ElementType type, long rows, int columns) => Of(type) == Operand.Floats ? 0 : rows * Stride(type, columns);

    /// <summary>The operands of rows. x: [rows, columns]; room: <see cref="Room"/>.</summary>
    public static byte* Make(WorkerPool pool, ElementType type, float* x, int rows, int columns, byte* room)
    {
        if (Of(type) == Operand.Floats) return (byte*)x;
        var job = new Job { X = x, To = room, Type = type, Columns = columns };
        pool.For(&Rows, &job, rows, columns / 2);
        return room;
    }

    /// <summary>Some columns of a row, from a multiple of 32 on, and behind its last one zeros; not for fp32.</summary>
    /// <param name="type">Of the weight.</param>
    /// <param name="x">The values.</param>
    /// <param name="columns">How many.</param>
    /// <param name="row">The whole row's operand.</param>
    /// <param name="first">The first of the columns.</param>
    /// <param name="all">Columns of the whole row.</param>
    public static void Make(ElementType type, float* x, int columns, byte* row, int first, int all)
    {
        float* tail = stackalloc float[Elements.Group];
        for (int i = 0; i < columns; i += Elements.Group, x += Elements.Group)
        {
            int group = (first + i) / Elements.Group, count = columns - i;
            if (count < Elements.Group)
            {
                for (int c = 0; c < Elements.Group; c++) tail[c] = c < count ? x[c] : 0;
                x = tail;
            }
            if (type == ElementType.PackedBf16) Halve(x, (ushort*)row + group * Elements.Group);
            else Round(x, row + group * GroupBytes, Quantised.Offset(type));
        }
        int groups = (all + Elements.Group - 1) / Elements.Group;
        if (first + columns == all && type != ElementType.PackedBf16 && groups % 2 != 0)
            new Span<byte>(row + groups * GroupBytes, GroupBytes).Clear();
    }

    private static void Rows(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        long stride = Stride(job.Type, job.Columns);
        for (int row = first; row < end; row++)
            Make(job.Type, job.X + (long)row * job.Columns, job.Columns, job.To + row * stride, 0, job.Columns);
    }

    // 32 values to bf16, to nearest even.
    private static void Halve(float* x, ushort* to)
    {
        Vector512.Narrow(Bits(Vector512.Load(x)), Bits(Vector512.Load(x + Lanes.Count))).Store(to);

        static Vector512<uint> Bits(Vector512<float> v)
        {
            Vector512<uint> bits = v.AsUInt32();
            Vector512<uint> rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
            return Vector512.ConditionalSelect(Vector512.Equals(v, v).AsUInt32(), rounded, Vector512.Create(0x7FC0u));
        }
    }

    private static void Round(float* x, byte* to, int offset)
    {
        Vector512<float> low = Vector512.Load(x), high = Vector512.Load(x + Lanes.Count);
        Vector512<float> most = Vector512.Max(Vector512.Abs(low), Vector512.Abs(high));
        Vector256<float> half = Vector256.Max(most.GetLower(), most.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        float top = MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
        Vector512<float> inverse = Vector512.Create(Quantised.Inverse(top));
        Vector512<int> a = Vector512.ConvertToInt32(Vector512.Round(low * inverse));
        Vector512<int> b = Vector512.ConvertToInt32(Vector512.Round(high * inverse));
        Vector512<short> values = Vector512.Narrow(a, b);
        Vector256.Narrow(values.GetLower(), values.GetUpper()).Store((sbyte*)to);
        *(int*)(to + CorrectionAt) = -offset * Vector512.Sum(a + b);
        *(float*)(to + ScaleAt) = top / Quantised.Most;
    }
}
