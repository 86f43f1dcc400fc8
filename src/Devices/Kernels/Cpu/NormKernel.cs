using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>RMS norm of rows.</summary>
internal static unsafe class NormKernel
{
    private struct Job
    {
        public float* X, Y;
        public Weight Scale;
        public float Epsilon;
    }

    /// <summary>x, y: [rows, width of the scale]; y may be x.</summary>
    public static void Run(WorkerPool pool, float* x, int rows, Weight scale, float epsilon, float* y)
    {
        var job = new Job { X = x, Y = y, Scale = scale, Epsilon = epsilon };
        pool.For(Body(scale.Type), &job, rows, 2L * scale.Columns);
    }

    private static delegate*<void*, int, int, void> Body(ElementType type) => type switch
    {
        ElementType.BF16 => &Rows<StoredBf16>,
        ElementType.F16 => &Rows<StoredF16>,
        _ => &Rows<StoredF32>,
    };

    private static void Rows<T>(void* data, int first, int end) where T : IStored
    {
        ref Job job = ref *(Job*)data;
        int width = job.Scale.Columns;
        for (int row = first; row < end; row++)
            One<T>(job.X + (long)row * width, job.Scale.Data, width, job.Epsilon, job.Y + (long)row * width);
    }

    private static void One<T>(float* x, byte* scale, int width, float epsilon, float* y) where T : IStored
    {
        Vector512<float> squares = default;
        int i = 0;
        for (; i + Lanes.Count <= width; i += Lanes.Count)
        {
            Vector512<float> v = Vector512.Load(x + i);
            squares = Vector512.FusedMultiplyAdd(v, v, squares);
        }
        Vector512<float> tail = i < width ? Lanes.LoadTail(x + i, width - i) : default;
        squares = Vector512.FusedMultiplyAdd(tail, tail, squares);
        Vector512<float> factor = Vector512.Create(1 / MathF.Sqrt(Lanes.Sum(squares) / width + epsilon));
        for (i = 0; i + Lanes.Count <= width; i += Lanes.Count) (Vector512.Load(x + i) * factor * T.Load(scale + i * T.Size)).Store(y + i);
        if (i < width) Lanes.StoreTail(tail * factor * Lanes.LoadTail<T>(scale + i * T.Size, width - i), y + i, width - i);
    }
}
