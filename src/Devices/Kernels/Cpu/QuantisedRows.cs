using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Rows of x as integers, for products with Int8 and Int4 weights; see <see cref="Quantised.Round"/>. A row has 64 bytes for each group of
/// 32 columns, and then a scale for each. For Int8 the 64 bytes are 32 values of 16 bits; for Int4 32 values of 8 bits and then 8 times
/// their sum, since those weights are stored plus 8.
/// </summary>
internal static unsafe class QuantisedRows
{
    private const int GroupBytes = 64;

    private struct Job
    {
        public float* X;
        public byte* To;
        public int Columns;
        public bool Wide;
    }

    /// <summary>Values of fp32 that a row takes as much room as.</summary>
    public static int Stride(int columns) => Quantised.Groups(columns) * (GroupBytes / sizeof(float) + 1);

    /// <summary>The scales of a row.</summary>
    public static float* Scales(byte* row, int groups) => (float*)(row + groups * GroupBytes);

    /// <summary>x: [rows, columns]; to: [rows, <see cref="Stride"/>].</summary>
    public static void Run(WorkerPool pool, float* x, int rows, int columns, ElementType type, float* to)
    {
        var job = new Job { X = x, To = (byte*)to, Columns = columns, Wide = type == ElementType.Int8 };
        pool.For(&Rows, &job, rows, columns);
    }

    private static void Rows(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        (int groups, int stride) = (Quantised.Groups(job.Columns), Stride(job.Columns) * sizeof(float));
        float* tail = stackalloc float[Elements.Group];
        for (int row = first; row < end; row++)
        {
            byte* to = job.To + (long)row * stride;
            float* x = job.X + (long)row * job.Columns, scales = Scales(to, groups);
            for (int g = 0; g < groups; g++, x += Elements.Group, to += GroupBytes)
            {
                int count = Math.Min(Elements.Group, job.Columns - g * Elements.Group);
                float* from = x;
                if (count < Elements.Group)
                {
                    for (int i = 0; i < Elements.Group; i++) tail[i] = i < count ? x[i] : 0;
                    from = tail;
                }
                Vector512<float> low = Vector512.Load(from), high = Vector512.Load(from + Lanes.Count);
                Vector512<float> most = Vector512.Max(Vector512.Abs(low), Vector512.Abs(high));
                Vector256<float> half = Vector256.Max(most.GetLower(), most.GetUpper());
                Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
                float top = MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
                scales[g] = top / Quantised.Most;
                Vector512<float> inverse = Vector512.Create(Quantised.Inverse(top));
                Vector512<int> a = Vector512.ConvertToInt32(Vector512.Round(low * inverse));
                Vector512<int> b = Vector512.ConvertToInt32(Vector512.Round(high * inverse));
                Vector512<short> values = Vector512.Narrow(a, b);
                if (job.Wide)
                {
                    values.Store((short*)to);
                    continue;
                }
                Vector256.Narrow(values.GetLower(), values.GetUpper()).Store((sbyte*)to);
                *(int*)(to + Elements.Group) = 8 * Vector512.Sum(a + b);
            }
        }
    }
}
