using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// The feed-forward of local experts with biases: one after the other, ascending, each as three products of all its rows. Every stored type
/// that products read will do.
/// </summary>
internal static unsafe class BiasedExpertsKernel
{
    /// <summary>hidden: [rows, H]; partial: the same, zeros; room: [pairs, <see cref="ExpertWeights.Room"/>]. At least one pair.</summary>
    public static void Run(WorkerPool pool, ExpertWeights experts, ExpertRows rows, float* hidden, float* room, float* partial)
    {
        (int inner, int width) = (experts.Inner, experts.Gate[0].Columns);
        foreach (int e in rows.Active)
        {
            int first = rows.Offsets[e], count = rows.Offsets[e + 1] - first;
            float* x = room + (long)first * experts.Room, gate = x + (long)count * width, up = gate + (long)count * inner;
            float* y = up + (long)count * inner; // [n, H], as x; gate and up: [n, I]
            for (int i = 0; i < count; i++)
            {
                var row = new ReadOnlySpan<float>(hidden + (long)rows.Rows[first + i] * width, width);
                row.CopyTo(new Span<float>(x + (long)i * width, width));
            }
            LinearKernel.Run(pool, x, count, experts.Gate[e], gate);
            LinearKernel.Run(pool, x, count, experts.Up[e], up);
            RowKernels.AddBias(gate, count, experts.Biased!.Gate[e]);
            RowKernels.AddBias(up, count, experts.Biased.Up[e]);
            Join(gate, up, count * inner, experts.Biased.Alpha, experts.Biased.Limit);
            LinearKernel.Run(pool, gate, count, experts.Down[e], y);
            RowKernels.AddBias(y, count, experts.Biased.Down[e]);
            for (int i = 0; i < count; i++)
                RowKernels.AddWeighted(rows.Weights[first + i], y + (long)i * width, partial + (long)rows.Rows[first + i] * width, width);
        }
    }

    // gate = (up + 1) gate / (1 + exp(-alpha gate)), both limited.
    private static void Join(float* gate, float* up, int count, float alpha, float limit)
    {
        Vector512<float> top = Vector512.Create(limit);
        for (int i = 0; i < count; i += Lanes.Count)
        {
            int some = Math.Min(Lanes.Count, count - i);
            Vector512<float> g = Vector512.Min(some < Lanes.Count ? Lanes.LoadTail(gate + i, some) : Vector512.Load(gate + i), top);
            Vector512<float> u = some < Lanes.Count ? Lanes.LoadTail(up + i, some) : Vector512.Load(up + i);
            u = Vector512.Max(-top, Vector512.Min(top, u)) + Vector512<float>.One;
            g = u * g / (Vector512<float>.One + VectorMath.Exp(g * -alpha));
            if (some < Lanes.Count) Lanes.StoreTail(g, gate + i, some);
            else g.Store(gate + i);
        }
    }
}
