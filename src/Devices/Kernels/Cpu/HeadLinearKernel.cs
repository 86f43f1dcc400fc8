using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Products with a matrix of each head, four rows at a time. Transposed, four rows of results stand in registers, 16 columns at a time,
/// while the matrix's rows pass by in their order: the matrix is read as it is stored.
/// </summary>
internal static unsafe class HeadLinearKernel
{
    private struct Job
    {
        public float* X, Y;
        public HeadMatrices Matrices;
        public int XStride, YStride, Rows;
    }

    /// <summary>x: [rows, heads, xStride]; y: [rows, heads, yStride].</summary>
    public static void Run(WorkerPool pool, float* x, int xStride, int rows, HeadMatrices matrices, float* y, int yStride)
    {
        var job = new Job { X = x, Y = y, Matrices = matrices, XStride = xStride, YStride = yStride, Rows = rows };
        int quads = (rows + 3) / 4;
        long work = (long)matrices.Inputs * matrices.Outputs * Math.Min(rows, 4);
        pool.For(Body(matrices.All.Type, matrices.Transposed), &job, quads * matrices.Heads, work);
    }

    private static delegate*<void*, int, int, void> Body(ElementType type, bool transposed) => type switch
    {
        ElementType.BF16 => transposed ? &Across<StoredBf16> : &Along<StoredBf16>,
        ElementType.F16 => transposed ? &Across<StoredF16> : &Along<StoredF16>,
        _ => transposed ? &Across<StoredF32> : &Along<StoredF32>,
    };

    // Item: (head, four rows), heads slowest, so that a head's matrix stays in the cache.
    private static int Rows(ref Job job, int item, out FourRows x, out FourRows y, out byte* weights)
    {
        int quads = (job.Rows + 3) / 4, head = item / quads, row = item % quads * 4, rows = Math.Min(4, job.Rows - row);
        long at = (long)row * job.Matrices.Heads + head;
        x = FourRows.From(job.X + at * job.XStride, (long)job.Matrices.Heads * job.XStride);
        y = FourRows.From(job.Y + at * job.YStride, (long)job.Matrices.Heads * job.YStride);
        weights = job.Matrices.All.Row(head * job.Matrices.Stride + job.Matrices.First);
        return rows;
    }

    private static void Along<T>(void* data, int first, int end) where T : IStored
    {
        ref Job job = ref *(Job*)data;
        for (int item = first; item < end; item++)
        {
            int rows = Rows(ref job, item, out FourRows x, out FourRows y, out byte* w);
            if (rows == 4) DotTiles<T>.Rows4(x, job.Matrices.Inputs, w, job.Matrices.All.RowBytes, job.Matrices.Outputs, y);
            else DotTiles<T>.RowsUpTo3(rows, x, job.Matrices.Inputs, w, job.Matrices.All.RowBytes, job.Matrices.Outputs, y);
        }
    }

    private static void Across<T>(void* data, int first, int end) where T : IStored
    {
        ref Job job = ref *(Job*)data;
        for (int item = first; item < end; item++)
        {
            int rows = Rows(ref job, item, out FourRows x, out FourRows y, out byte* w);
            // Fewer than four rows are left: the first one stands in for the missing ones.
            if (rows < 4) { x.D = x.A; y.D = y.A; }
            if (rows < 3) { x.C = x.A; y.C = y.A; }
            if (rows < 2) { x.B = x.A; y.B = y.A; }
            for (int column = 0; column < job.Matrices.Outputs; column += Lanes.Count)
                Columns<T>(x, y, column, Math.Min(Lanes.Count, job.Matrices.Outputs - column), w, job.Matrices.All.RowBytes,
                    job.Matrices.Count);
        }
    }

    private static void Columns<T>(FourRows x, FourRows y, int column, int count, byte* w, long stride, int inputs) where T : IStored
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        w += (long)column * T.Size;
        if (count == Lanes.Count)
        {
            for (int i = 0; i < inputs; i++, w += stride) Add(T.Load(w), i, x, ref a, ref b, ref c, ref d);
            a.Store(y.A + column);
            b.Store(y.B + column);
            c.Store(y.C + column);
            d.Store(y.D + column);
            return;
        }
        for (int i = 0; i < inputs; i++, w += stride) Add(Lanes.LoadTail<T>(w, count), i, x, ref a, ref b, ref c, ref d);
        Lanes.StoreTail(a, y.A + column, count);
        Lanes.StoreTail(b, y.B + column, count);
        Lanes.StoreTail(c, y.C + column, count);
        Lanes.StoreTail(d, y.D + column, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector512<float> w, int i, FourRows x, ref Vector512<float> a, ref Vector512<float> b, ref Vector512<float> c,
        ref Vector512<float> d)
    {
        a = Vector512.FusedMultiplyAdd(w, Vector512.Create(x.A[i]), a);
        b = Vector512.FusedMultiplyAdd(w, Vector512.Create(x.B[i]), b);
        c = Vector512.FusedMultiplyAdd(w, Vector512.Create(x.C[i]), c);
        d = Vector512.FusedMultiplyAdd(w, Vector512.Create(x.D[i]), d);
    }
}
