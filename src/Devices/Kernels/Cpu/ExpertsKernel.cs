using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The feed-forward of all local experts in two jobs: gate, up and SiLU over tiles of (expert, intermediate); then down over tiles of the
/// hidden size, where one thread adds up all experts of its columns in ascending order.
/// </summary>
internal static unsafe class ExpertsKernel
{
    // Outputs of gate and up at a time; of down, too, where there are many rows. With few, what one tile reads of an expert must be long
    // enough to be fetched ahead.
    private const int OutTile = 32, LongTile = 128, FewRows = 4;

    private struct Job
    {
        public Weight* Gate, Up, Down;
        public delegate*<int, FourRows, Weight*, int, int, FourRows, byte*, void> UpDots, DownDots;
        public int* Active, Offsets, Rows;
        public float* Weights, Hidden, Activation, Partial;
        public float* Gated; // activation as down reads it
        public int HiddenStride, GatedStride, ActiveCount, Tiles, DownTile, Intermediate, Width;
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
            Operand into = Operands.Of(*gate, pool.IsFast), outOf = Operands.Of(*down, pool.IsFast);
            var job = new Job
            {
                Gate = gate, Up = up, Down = down, UpDots = Dots.Of(into, gate->Type), DownDots = Dots.Of(outOf, down->Type),
                Active = active, Offsets = offsets, Rows = pairs, Weights = weights, Hidden = hidden,
                Activation = activation, Partial = partial, ActiveCount = rows.Active.Length,
                Tiles = (inner + OutTile - 1) / OutTile, Intermediate = inner, Width = width,
            };
            (job.HiddenStride, job.GatedStride) = (Operands.Stride(into, width), Operands.Stride(outOf, inner));
            job.Gated = activation;
            long hiddenRoom = into == Operand.Floats ? 0 : (long)hiddenRows * job.HiddenStride;
            float* room = pool.Room(hiddenRoom + (outOf == Operand.Floats ? 0 : (long)rows.Pairs * job.GatedStride));
            if (into != Operand.Floats)
            {
                Operands.Make(pool, into, hidden, hiddenRows, *gate, room);
                job.Hidden = room;
            }
            if (outOf != Operand.Floats) job.Gated = room + hiddenRoom;
            job.DownTile = rows.Pairs <= FewRows * job.ActiveCount && width >= pool.Threads * 2 * LongTile ? LongTile : OutTile;
            int items = job.ActiveCount * job.Tiles, columns = (width + job.DownTile - 1) / job.DownTile;
            pool.For(&UpTiles, &job, items, 2 * pairWork * rows.Pairs / items);
            if (outOf != Operand.Floats) Operands.Make(pool, outOf, activation, rows.Pairs, *down, job.Gated);
            pool.For(&DownTiles, &job, columns, pairWork * rows.Pairs / columns);
        }
    }

    // activation[pair, tile] = silu(gate . h) * (up . h)
    private static void UpTiles(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        float* upped = stackalloc float[4 * OutTile];
        FourRows u = FourRows.From(upped, OutTile);
        for (int item = first; item < end; item++)
        {
            int e = job.Active[item / job.Tiles], from = item % job.Tiles * OutTile, outputs = Math.Min(OutTile, job.Intermediate - from);
            for (int pair = job.Offsets[e]; pair < job.Offsets[e + 1]; pair += 4)
            {
                int rows = Math.Min(4, job.Offsets[e + 1] - pair);
                FourRows x = Gathered(ref job, pair, rows);
                FourRows y = FourRows.From(job.Activation + (long)pair * job.Intermediate + from, job.Intermediate);
                byte* next = pair + 4 < job.Offsets[e + 1] ? job.Gate[e].Row(from) : Next(ref job, item + 1);
                job.UpDots(rows, x, job.Gate + e, from, outputs, y, job.Up[e].Row(from));
                job.UpDots(rows, x, job.Up + e, from, outputs, u, next);
                for (int r = 0; r < rows; r++)
                    RowKernels.SiluMultiply(y.A + (long)r * job.Intermediate, upped + r * OutTile, outputs);
            }
        }
    }

    // The gate of an item, or of the last one.
    private static byte* Next(ref Job job, int item)
    {
        item = Math.Min(item, job.ActiveCount * job.Tiles - 1);
        return job.Gate[job.Active[item / job.Tiles]].Row(item % job.Tiles * OutTile);
    }

    // partial[row, tile] += weight * (down . activation), experts ascending.
    private static void DownTiles(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        float* result = stackalloc float[4 * LongTile];
        FourRows y = FourRows.From(result, LongTile);
        for (int item = first; item < end; item++)
        {
            int from = item * job.DownTile, outputs = Math.Min(job.DownTile, job.Width - from);
            for (int a = 0; a < job.ActiveCount; a++)
            {
                int e = job.Active[a];
                for (int pair = job.Offsets[e]; pair < job.Offsets[e + 1]; pair += 4)
                {
                    int rows = Math.Min(4, job.Offsets[e + 1] - pair);
                    FourRows x = FourRows.From(job.Gated + (long)pair * job.GatedStride, job.GatedStride);
                    byte* next = job.Down[pair + 4 < job.Offsets[e + 1] ? e : job.Active[(a + 1) % job.ActiveCount]].Row(from);
                    job.DownDots(rows, x, job.Down + e, from, outputs, y, next);
                    for (int r = 0; r < rows; r++)
                    {
                        float* sum = job.Partial + (long)job.Rows[pair + r] * job.Width + from;
                        RowKernels.AddWeighted(job.Weights[pair + r], result + r * LongTile, sum, outputs);
                    }
                }
            }
        }
    }

    private static FourRows Gathered(ref Job job, int pair, int rows)
    {
        float* h = job.Hidden;
        int* at = job.Rows + pair;
        return new FourRows(h + (long)at[0] * job.HiddenStride, h + (long)at[rows > 1 ? 1 : 0] * job.HiddenStride,
            h + (long)at[rows > 2 ? 2 : 0] * job.HiddenStride, h + (long)at[rows > 3 ? 3 : 0] * job.HiddenStride);
    }
}
