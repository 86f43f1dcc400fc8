using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>y = x times the transpose of a stored weight, in tiles of outputs x rows that several threads take.</summary>
internal static unsafe class LinearKernel
{
    // A tile of weights stays in the second-level cache while all rows pass by.
    private const long TileBytes = 128 * 1024;

    private struct Job
    {
        public float* X, Y;
        public Weight Weight;
        public delegate*<int, FourRows, Weight*, int, int, FourRows, byte*, void> Dots;
        public int Rows, XStride, RowTile, OutTile, OutTiles;
    }

    /// <summary>x: [rows, K]; y: [rows, N].</summary>
    public static void Run(WorkerPool pool, float* x, int rows, Weight weight, float* y)
    {
        long work = (long)rows * weight.Rows * weight.Columns;
        long wanted = pool.Threads == 1 ? 1 : Math.Clamp(work / (32 * 1024), 1, pool.Threads * 4);
        int tile = (int)Math.Clamp(TileBytes * weight.Rows / weight.Bytes, 16, weight.Rows + 15L) / 16 * 16;
        tile = Math.Min(tile, (int)((weight.Rows + wanted - 1) / wanted + 15) / 16 * 16);
        int tiles = (weight.Rows + tile - 1) / tile;
        int rowTiles = Math.Clamp((int)(wanted / tiles), 1, (rows + 3) / 4), rowTile = ((rows + rowTiles - 1) / rowTiles + 3) / 4 * 4;
        rowTiles = (rows + rowTile - 1) / rowTile;
        Operand operand = Operands.Of(weight, pool.IsFast);
        int stride = Operands.Stride(operand, weight.Columns);
        if (operand != Operand.Floats)
        {
            float* made = pool.Room((long)rows * stride);
            Operands.Make(pool, operand, x, rows, weight, made);
            x = made;
        }
        var job = new Job
        {
            X = x, XStride = stride, Y = y, Weight = weight, Dots = Dots.Of(operand, weight.Type), Rows = rows, RowTile = rowTile,
            OutTile = tile, OutTiles = tiles,
        };
        pool.For(&Tiles, &job, tiles * rowTiles, work / (tiles * rowTiles));
    }

    private static void Tiles(void* data, int first, int end)
    {
        var job = (Job*)data;
        (int k, int n) = (job->XStride, job->Weight.Rows);
        for (int item = first; item < end; item++)
        {
            (int from, int row) = (item % job->OutTiles * job->OutTile, item / job->OutTiles * job->RowTile);
            (int outputs, int rowEnd) = (Math.Min(job->OutTile, n - from), Math.Min(row + job->RowTile, job->Rows));
            for (; row < rowEnd; row += 4)
            {
                byte* next = job->Weight.Row(row + 4 < rowEnd ? from : from + outputs);
                FourRows x = FourRows.From(job->X + (long)row * k, k), y = FourRows.From(job->Y + (long)row * n + from, n);
                job->Dots(Math.Min(4, rowEnd - row), x, &job->Weight, from, outputs, y, next);
            }
        }
    }
}
