using System.Runtime.Intrinsics;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Softmax over experts and the K largest, row by row.</summary>
internal static unsafe class RouterKernel
{
    private struct Job
    {
        public float* Logits, Weights;
        public int* Ids;
        public int Experts, TopK;
        public bool Normalize;
    }

    /// <summary>logits: [rows, experts]; ids, weights: [rows, topK].</summary>
    public static void Run(WorkerPool pool, float* logits, int rows, int experts, bool normalize, int topK, int* ids, float* weights)
    {
        var job = new Job { Logits = logits, Weights = weights, Ids = ids, Experts = experts, TopK = topK, Normalize = normalize };
        pool.For(&Rows, &job, rows, (long)experts * (topK + 4));
    }

    private static void Rows(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        for (int row = first; row < end; row++)
        {
            float* p = job.Logits + (long)row * job.Experts, weights = job.Weights + (long)row * job.TopK;
            int* ids = job.Ids + (long)row * job.TopK;
            Softmax(p, job.Experts);
            float sum = 0;
            for (int k = 0; k < job.TopK; k++)
            {
                ids[k] = Largest(p, job.Experts, ids, k);
                weights[k] = p[ids[k]];
                sum += weights[k];
            }
            if (!job.Normalize) continue;
            for (int k = 0; k < job.TopK; k++) weights[k] /= sum;
        }
    }

    // The next after those chosen in falling order, ties to the lower id: the largest that is smaller than the last choice, or equal with a
    // higher id. NaN is never larger; if nothing is left to choose, the lowest id that is free.
    private static int Largest(float* p, int count, int* chosen, int k)
    {
        (float last, int lastId) = k == 0 ? (float.PositiveInfinity, -1) : (p[chosen[k - 1]], chosen[k - 1]);
        int best = -1;
        float top = float.NegativeInfinity;
        for (int e = 0; e < count; e++)
            if (p[e] > top && (p[e] < last || (p[e] == last && e > lastId))) (best, top) = (e, p[e]);
        if (best >= 0) return best;
        for (best = 0; new ReadOnlySpan<int>(chosen, k).Contains(best); best++)
        {
        }
        return best;
    }

    private static void Softmax(float* x, int count)
    {
        float max = float.NegativeInfinity;
        for (int i = 0; i < count; i++) max = MathF.Max(max, x[i]);
        Vector512<float> sum = default, top = Vector512.Create(max);
        for (int i = 0; i < count; i += Lanes.Count)
        {
            int rest = Math.Min(Lanes.Count, count - i);
            Vector512<float> e = VectorMath.Exp((rest == Lanes.Count ? Vector512.Load(x + i) : Lanes.LoadTail(x + i, rest)) - top);
            Lanes.StoreTail(e, x + i, rest);
            sum += Lanes.LoadTail(x + i, rest);
        }
        float total = Lanes.Sum(sum);
        for (int i = 0; i < count; i++) x[i] /= total;
    }
}
