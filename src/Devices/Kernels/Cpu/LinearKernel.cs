using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>y = x times the transpose of a stored weight, in tiles of outputs x rows that several threads take.</summary>
internal static unsafe class LinearKernel
{
    // A tile of weights stays in the second-level cache while all rows pass by.
    private const long TileBytes = 128 * 1024;

    // Pieces of work for each thread: so many that a slow one leaves little to wait for.
    private const int PiecesPerThread = 8;

    /// <summary>A weight and its results, [rows, N].</summary>
    public struct Part
    {
        public Weight Weight;
        public float* Y;
    }

    private struct Job
    {
        public byte* X;
        public Part* Parts;
        public long XStride;
        public int Rows, RowTile, RowTiles, OutTile;
    }

    /// <summary>x: [rows, K]; y: [rows, N].</summary>
    public static void Run(WorkerPool pool, float* x, int rows, Weight weight, float* y)
    {
        var part = new Part { Weight = weight, Y = y };
        Run(pool, x, rows, &part, 1);
    }

    /// <summary>Products of the same rows with several weights: as one job where these are of one type.</summary>
    public static void Run(WorkerPool pool, float* x, int rows, Part* parts, int count)
    {
        Weight first = parts[0].Weight;
        long outputs = 0;
        for (int i = 0; i < count; i++)
        {
            if (parts[i].Weight.Type != first.Type)
            {
                Run(pool, x, rows, parts, i);
                Run(pool, x, rows, parts + i, count - i);
                return;
            }
            outputs += parts[i].Weight.Rows;
        }
        long work = rows * outputs * first.Columns;
        long wanted = pool.Threads == 1 ? 1 : Math.Clamp(work / (32 * 1024), 1, pool.Threads * PiecesPerThread);
        int most = (int)Math.Clamp(TileBytes * first.Rows / first.Bytes, 1, outputs);
        int tile = Whole((int)Math.Min(most, (outputs + wanted - 1) / wanted), Products.Outputs), tiles = 0;
        for (int i = 0; i < count; i++) tiles += Tiles(parts[i].Weight, tile);
        int cuts = Math.Max(1, (int)wanted / tiles), rowTile = Whole((rows + cuts - 1) / cuts, Products.Rows);
        var job = new Job
        {
            X = (byte*)pool.Room(Operands.Room(first.Type, rows, first.Columns) / sizeof(float)),
            XStride = Operands.Stride(first.Type, first.Columns), Parts = parts, Rows = rows, RowTile = rowTile,
            RowTiles = (rows + rowTile - 1) / rowTile, OutTile = tile,
        };
        job.X = Operands.Make(pool, first.Type, x, rows, first.Columns, job.X);
        int items = tiles * job.RowTiles;
        pool.For(&Items, &job, items, work / items);
    }

    private static int Whole(int count, int unit) => (count + unit - 1) / unit * unit;

    private static int Tiles(Weight weight, int tile) => (weight.Rows + tile - 1) / tile;

    private static void Items(void* data, int first, int end)
    {
        var job = (Job*)data;
        for (int item = first; item < end; item++)
        {
            (int row, int tile) = (item % job->RowTiles * job->RowTile, item / job->RowTiles);
            Part* part = job->Parts;
            for (; tile >= Tiles(part->Weight, job->OutTile); part++) tile -= Tiles(part->Weight, job->OutTile);
            int from = tile * job->OutTile, outputs = Math.Min(job->OutTile, part->Weight.Rows - from);
            Products.Run(&part->Weight, from, outputs, new Products.Call
            {
                X = job->X + row * job->XStride, XStride = job->XStride, Rows = Math.Min(job->RowTile, job->Rows - row),
                Y = part->Y + (long)row * part->Weight.Rows + from, YStride = part->Weight.Rows, Next = part->Weight.Row(from + outputs),
            });
        }
    }
}
