using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>y = x times the transpose of a stored weight, in tiles of outputs x rows that several threads take.</summary>
internal static unsafe class LinearKernel
{
    // A tile of weights stays in the second-level cache while all rows pass by.
    private const long TileBytes = 128 * 1024;

    private struct Job
    {
        public byte* X;
        public float* Y;
        public Weight Weight;
        public long XStride;
        public int Rows, RowTile, OutTile, OutTiles;
    }

    /// <summary>x: [rows, K]; y: [rows, N].</summary>
    public static void Run(WorkerPool pool, float* x, int rows, Weight weight, float* y)
    {
        long work = (long)rows * weight.Rows * weight.Columns;
        long wanted = pool.Threads == 1 ? 1 : Math.Clamp(work / (32 * 1024), 1, pool.Threads * 4);
        int most = (int)Math.Clamp(TileBytes * weight.Rows / weight.Bytes, 1, weight.Rows);
        int tile = Whole((int)Math.Min(most, (weight.Rows + wanted - 1) / wanted), Products.Outputs);
        int tiles = (weight.Rows + tile - 1) / tile;
        int rowTile = Whole((rows + Math.Max(1, (int)wanted / tiles) - 1) / Math.Max(1, (int)wanted / tiles), Products.Rows);
        int rowTiles = (rows + rowTile - 1) / rowTile;
        var job = new Job
        {
            X = (byte*)pool.Room(Operands.Room(weight.Type, rows, weight.Columns) / sizeof(float)),
            XStride = Operands.Stride(weight.Type, weight.Columns), Y = y, Weight = weight, Rows = rows, RowTile = rowTile, OutTile = tile,
            OutTiles = tiles,
        };
        job.X = Operands.Make(pool, weight.Type, x, rows, weight.Columns, job.X);
        pool.For(&Tiles, &job, tiles * rowTiles, work / (tiles * rowTiles));
    }

    private static int Whole(int count, int unit) => (count + unit - 1) / unit * unit;

    private static void Tiles(void* data, int first, int end)
    {
        var job = (Job*)data;
        for (int item = first; item < end; item++)
        {
            (int from, int row) = (item % job->OutTiles * job->OutTile, item / job->OutTiles * job->RowTile);
            int outputs = Math.Min(job->OutTile, job->Weight.Rows - from);
            Products.Run(&job->Weight, from, outputs, new Products.Call
            {
                X = job->X + row * job->XStride, XStride = job->XStride, Rows = Math.Min(job->RowTile, job->Rows - row),
                Y = job->Y + (long)row * job->Weight.Rows + from, YStride = job->Weight.Rows, Next = job->Weight.Row(from + outputs),
            });
        }
    }
}
