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
        public Weight All;
        public delegate*<int, FourRows, Weight*, int, int, FourRows, byte*, void> Dots;
        public int XStride, YStride, Rows;
    }

    /// <summary>x: [rows, heads, xStride]; y: [rows, heads, yStride].</summary>
    public static void Run(WorkerPool pool, float* x, int xStride, int rows, HeadMatrices matrices, float* y, int yStride)
    {
        if (matrices.All.Type.IsPanel()) throw new ArgumentException($"matrices of heads cannot be {matrices.All.Type}", nameof(matrices));
        var job = new Job
        {
            X = x, Y = y, Matrices = matrices, All = matrices.All, Dots = Dots.Of(matrices.All.Type), XStride = xStride, YStride = yStride,
            Rows = rows,
        };
        int quads = (rows + 3) / 4;
        long work = (long)matrices.Inputs * matrices.Outputs * Math.Min(rows, 4);
        pool.For(matrices.Transposed ? Across(matrices.All.Type) : &Along, &job, quads * matrices.Heads, work);
    }

    private static delegate*<void*, int, int, void> Across(ElementType type) => type switch
    {
        ElementType.BF16 => &Across<StoredBf16>,
        ElementType.F16 => &Across<StoredF16>,
        ElementType.F32 => &Across<StoredF32>,
        ElementType.Fp8 => &AcrossGroups<GroupedFp8>,
        _ => &AcrossGroups<GroupedMxFp4>,
    };

    // Item: (head, four rows), heads slowest, so that a head's matrix stays in the cache.
    private static int Rows(ref Job job, int item, out FourRows x, out FourRows y, out int first)
    {
        int quads = (job.Rows + 3) / 4, head = item / quads, row = item % quads * 4, rows = Math.Min(4, job.Rows - row);
        long at = (long)row * job.Matrices.Heads + head;
        x = FourRows.From(job.X + at * job.XStride, (long)job.Matrices.Heads * job.XStride);
        y = FourRows.From(job.Y + at * job.YStride, (long)job.Matrices.Heads * job.YStride);
        first = head * job.Matrices.Stride + job.Matrices.First;
        return rows;
    }

    // The same for products across: the first row stands in for missing ones.
    private static int Across(ref Job job, int item, out FourRows x, out FourRows y)
    {
        int rows = Rows(ref job, item, out x, out y, out int first);
        if (rows < 4) { x.D = x.A; y.D = y.A; }
        if (rows < 3) { x.C = x.A; y.C = y.A; }
        if (rows < 2) { x.B = x.A; y.B = y.A; }
        return first;
    }

    private static void Along(void* data, int first, int end)
    {
        var job = (Job*)data;
        for (int item = first; item < end; item++)
        {
            int rows = Rows(ref *job, item, out FourRows x, out FourRows y, out int row);
            job->Dots(rows, x, &job->All, row, job->Matrices.Outputs, y, job->All.Row(row + job->Matrices.Outputs));
        }
    }

    private static void Across<T>(void* data, int first, int end) where T : IStored
    {
        ref Job job = ref *(Job*)data;
        for (int item = first; item < end; item++)
        {
            byte* w = job.All.Row(Across(ref job, item, out FourRows x, out FourRows y));
            for (int column = 0; column < job.Matrices.Outputs; column += Lanes.Count)
                Columns<T>(x, y, column, Math.Min(Lanes.Count, job.Matrices.Outputs - column), w, job.All.RowBytes, job.Matrices.Count);
        }
    }

    // Weights with scales, 32 columns at a time, each weight times its scale first.
    private static void AcrossGroups<T>(void* data, int first, int end) where T : IGrouped
    {
        ref Job job = ref *(Job*)data;
        float* tail = stackalloc float[Elements.Group];
        for (int item = first; item < end; item++)
        {
            int row = Across(ref job, item, out FourRows x, out FourRows y);
            for (int column = 0; column < job.Matrices.Outputs; column += Elements.Group)
            {
                int count = Math.Min(Elements.Group, job.Matrices.Outputs - column);
                Vector512<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
                for (int i = 0; i < job.Matrices.Count; i++)
                {
                    Vector512<float> low, high;
                    if (count == Elements.Group)
                        T.Load(job.All.Row(row + i), job.All.ScaleRow(row + i), column, job.All.FirstColumn, out low, out high);
                    else
                    {
                        for (int n = 0; n < Elements.Group; n++) tail[n] = n < count ? job.All[row + i, column + n] : 0;
                        (low, high) = (Vector512.Load(tail), Vector512.Load(tail + Lanes.Count));
                    }
                    Add(low, i, x, ref a, ref b, ref c, ref d);
                    Add(high, i, x, ref e, ref f, ref g, ref h);
                }
                Store(new FourRows(y.A + column, y.B + column, y.C + column, y.D + column), a, b, c, d, Math.Min(count, Lanes.Count));
                if (count <= Lanes.Count) continue;
                int next = column + Lanes.Count;
                Store(new FourRows(y.A + next, y.B + next, y.C + next, y.D + next), e, f, g, h, count - Lanes.Count);
            }
        }
    }

    private static void Store(FourRows y, Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, int count)
    {
        Lanes.StoreTail(a, y.A, count);
        Lanes.StoreTail(b, y.B, count);
        Lanes.StoreTail(c, y.C, count);
        Lanes.StoreTail(d, y.D, count);
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
