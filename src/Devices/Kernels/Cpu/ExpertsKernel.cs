using System.Runtime.CompilerServices;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The feed-forward of all local experts in two jobs: gate, up and SiLU over tiles of (expert, intermediate), straight into what down
/// reads; then down over tiles of the hidden size, where one thread adds up all experts of its columns in ascending order.
/// </summary>
internal static unsafe class ExpertsKernel
{
    // Outputs at a time: as long a piece of an expert as leaves enough pieces for all threads, since each piece is memory of its own.
    private const int LongTile = 128, PiecesPerThread = 8;

    private struct Job
    {
        public Weight* Gate, Up, Down;
        public int* Active, Offsets, Rows;
        public float* Weights, Activation, Partial;
        public byte* Hidden, Gathered, Gated; // operands: of each row, of each pair, of each pair for down
        public ElementType Into, OutOf;
        public long HiddenStride, GatedStride;
        public int ActiveCount, Tiles, UpTile, DownTile, Intermediate, Width;
    }

    /// <summary>hidden: [rows, H]; partial: the same, zeros; activation: [pairs, I]. At least one pair.</summary>
    public static void Run(WorkerPool pool, ExpertWeights experts, ExpertRows rows, int hiddenRows, float* hidden, float* activation,
        float* partial)
    {
        (int inner, int width) = (experts.Gate[0].Rows, experts.Gate[0].Columns);
        long pairWork = (long)inner * width;
        fixed (Weight* gate = experts.Gate, up = experts.Up, down = experts.Down)
        fixed (int* active = rows.Active, offsets = rows.Offsets, pairs = rows.Rows)
        fixed (float* weights = rows.Weights)
        {
            var job = new Job
            {
                Gate = gate, Up = up, Down = down, Active = active, Offsets = offsets, Rows = pairs, Weights = weights,
                Activation = activation, Partial = partial, ActiveCount = rows.Active.Length, Into = gate->Type, OutOf = down->Type,
                HiddenStride = Operands.Stride(gate->Type, width), GatedStride = Operands.Stride(down->Type, inner),
                Intermediate = inner, Width = width,
            };
            (job.UpTile, job.DownTile) = (TileOf(inner, job.ActiveCount), TileOf(width, 1));
            job.Tiles = (inner + job.UpTile - 1) / job.UpTile;
            long hiddenRoom = Operands.Room(gate->Type, hiddenRows, width);
            long gatheredRoom = hiddenRows == 1 ? 0 : rows.Pairs * job.HiddenStride;
            long gatedRoom = Operands.Room(down->Type, rows.Pairs, inner);
            var room = (byte*)pool.Room((hiddenRoom + gatheredRoom + gatedRoom) / sizeof(float));
            job.Gathered = room + hiddenRoom;
            job.Gated = gatedRoom == 0 ? (byte*)activation : job.Gathered + gatheredRoom;
            job.Hidden = Operands.Make(pool, gate->Type, hidden, hiddenRows, width, room);
            int items = job.ActiveCount * job.Tiles, columns = (width + job.DownTile - 1) / job.DownTile;
            if (hiddenRows > 1) pool.For(&Gather, &job, rows.Pairs, width / 4);
            pool.For(&UpTiles, &job, items, 2 * pairWork * rows.Pairs / items);
            pool.For(&DownTiles, &job, columns, pairWork * rows.Pairs / columns);
        }

        int TileOf(int outputs, int times)
        {
            int tile = LongTile;
            while (tile > Products.Outputs && times * (outputs / tile) < pool.Threads * PiecesPerThread) tile /= 2;
            return tile;
        }
    }

    // The rows of an expert side by side, where it has several.
    private static void Gather(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        for (int pair = first; pair < end; pair++)
            Buffer.MemoryCopy(job.Hidden + job.Rows[pair] * job.HiddenStride, job.Gathered + pair * job.HiddenStride, job.HiddenStride,
                job.HiddenStride);
    }

    // activation[pair, tile] = silu(gate . h) * (up . h)
    [SkipLocalsInit]
    private static void UpTiles(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        float* gated = stackalloc float[Products.Rows * LongTile];
        float* upped = stackalloc float[Products.Rows * LongTile];
        for (int item = first; item < end; item++)
        {
            int e = job.Active[item / job.Tiles], from = item % job.Tiles * job.UpTile;
            int outputs = Math.Min(job.UpTile, job.Intermediate - from);
            for (int pair = job.Offsets[e]; pair < job.Offsets[e + 1]; pair += Products.Rows)
            {
                int rows = Math.Min(Products.Rows, job.Offsets[e + 1] - pair);
                bool last = pair + rows == job.Offsets[e + 1];
                var call = new Products.Call
                {
                    X = job.Offsets[e + 1] - job.Offsets[e] == 1
                        ? job.Hidden + job.Rows[pair] * job.HiddenStride
                        : job.Gathered + pair * job.HiddenStride,
                    XStride = job.HiddenStride, Rows = rows, Y = gated, YStride = LongTile, Next = job.Up[e].Row(from),
                };
                Products.Run(job.Gate + e, from, outputs, call);
                call.Y = upped;
                call.Next = last ? Next(ref job, item + 1) : job.Gate[e].Row(from);
                Products.Run(job.Up + e, from, outputs, call);
                for (int r = 0; r < rows; r++) Join(ref job, pair + r, from, outputs, gated + r * LongTile, upped + r * LongTile);
            }
        }
    }

    private static void Join(ref Job job, int pair, int from, int outputs, float* gate, float* up)
    {
        RowKernels.SiluMultiply(gate, up, outputs);
        byte* to = job.Gated + pair * job.GatedStride;
        if (Operands.Of(job.OutOf) != Operand.Floats) Operands.Make(job.OutOf, gate, outputs, to, from, job.Intermediate);
        else new ReadOnlySpan<float>(gate, outputs).CopyTo(new Span<float>((float*)to + from, outputs));
    }

    // The gate of an item, or of the last one.
    private static byte* Next(ref Job job, int item)
    {
        item = Math.Min(item, job.ActiveCount * job.Tiles - 1);
        return job.Gate[job.Active[item / job.Tiles]].Row(item % job.Tiles * job.UpTile);
    }

    // partial[row, tile] += weight * (down . activation), experts ascending.
    [SkipLocalsInit]
    private static void DownTiles(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        float* result = stackalloc float[Products.Rows * LongTile];
        for (int item = first; item < end; item++)
        {
            int from = item * job.DownTile, outputs = Math.Min(job.DownTile, job.Width - from);
            for (int a = 0; a < job.ActiveCount; a++)
            {
                int e = job.Active[a];
                for (int pair = job.Offsets[e]; pair < job.Offsets[e + 1]; pair += Products.Rows)
                {
                    int rows = Math.Min(Products.Rows, job.Offsets[e + 1] - pair);
                    Products.Run(job.Down + e, from, outputs, new Products.Call
                    {
                        X = job.Gated + pair * job.GatedStride, XStride = job.GatedStride, Rows = rows, Y = result, YStride = LongTile,
                        Next = job.Down[pair + rows < job.Offsets[e + 1] ? e : job.Active[(a + 1) % job.ActiveCount]].Row(from),
                    });
                    for (int r = 0; r < rows; r++)
                    {
                        float* sum = job.Partial + (long)job.Rows[pair + r] * job.Width + from;
                        RowKernels.AddWeighted(job.Weights[pair + r], result + r * LongTile, sum, outputs);
                    }
                }
            }
        }
    }
}
