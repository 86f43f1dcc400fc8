using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>Scores of experts and the K best, row by row.</summary>
internal static unsafe class RouterKernel
{
    private struct Job
    {
        public float* Logits, Weights;
        public int* Ids;
        public Weight Correction;
        public int Experts, TopK, Groups, KeptGroups;
        public float Scale;
        public bool Normalize, Sigmoid, ChoosesApart, Corrects, GroupsByTwo;
    }

    /// <summary>logits: [rows, experts]; ids, weights: [rows, topK].</summary>
    public static void Run(WorkerPool pool, float* logits, int rows, RouteRule rule, int topK, int* ids, float* weights)
    {
        var job = new Job
        {
            Logits = logits, Weights = weights, Ids = ids, Experts = rule.Experts, TopK = topK, Normalize = rule.Normalize,
            Sigmoid = rule.Sigmoid, Scale = rule.Scale, Groups = rule.Groups, KeptGroups = rule.KeptGroups, GroupsByTwo = rule.GroupsByTwo,
            ChoosesApart = rule.ChoosesApart, Corrects = rule.Correction is not null, Correction = rule.Correction ?? default,
        };
        pool.For(&Rows, &job, rows, (long)rule.Experts * (topK + 4));
    }

    [SkipLocalsInit]
    private static void Rows(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        float* apart = stackalloc float[job.ChoosesApart ? job.Experts : 1];
        for (int row = first; row < end; row++)
        {
            float* p = job.Logits + (long)row * job.Experts, weights = job.Weights + (long)row * job.TopK;
            int* ids = job.Ids + (long)row * job.TopK;
            if (job.Sigmoid) Sigmoid(p, job.Experts);
            else Softmax(p, job.Experts);
            float* choice = p;
            if (job.ChoosesApart) Choice(ref job, p, choice = apart);
            float sum = 0;
            for (int k = 0; k < job.TopK; k++)
            {
                ids[k] = Largest(choice, job.Experts, ids, k);
                weights[k] = p[ids[k]];
                sum += weights[k];
            }
            if (job.Normalize)
                for (int k = 0; k < job.TopK; k++) weights[k] /= sum;
            for (int k = 0; k < job.TopK; k++) weights[k] *= job.Scale;
        }
    }

    // What experts are chosen by, where that is not their score: corrected, and minus infinity outside of the best groups.
    [SkipLocalsInit]
    private static void Choice(ref Job job, float* scores, float* choice)
    {
        for (int e = 0; e < job.Experts; e++) choice[e] = job.Corrects ? scores[e] + job.Correction[0, e] : scores[e];
        if (job.Groups == 1) return;
        int size = job.Experts / job.Groups;
        float* worth = stackalloc float[job.Groups];
        int* kept = stackalloc int[job.KeptGroups];
        for (int g = 0; g < job.Groups; g++)
        {
            (float best, float second) = (float.NegativeInfinity, float.NegativeInfinity);
            for (int e = g * size; e < (g + 1) * size; e++)
            {
                if (choice[e] > best) (best, second) = (choice[e], best);
                else if (choice[e] > second) second = choice[e];
            }
            worth[g] = job.GroupsByTwo && size > 1 ? best + second : best;
        }
        for (int k = 0; k < job.KeptGroups; k++) kept[k] = Largest(worth, job.Groups, kept, k);
        var groups = new ReadOnlySpan<int>(kept, job.KeptGroups);
        for (int e = 0; e < job.Experts; e++)
            if (!groups.Contains(e / size)) choice[e] = float.NegativeInfinity;
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

    private static void Sigmoid(float* x, int count)
    {
        for (int i = 0; i < count; i += Lanes.Count)
        {
            int rest = Math.Min(Lanes.Count, count - i);
            Vector512<float> v = rest == Lanes.Count ? Vector512.Load(x + i) : Lanes.LoadTail(x + i, rest);
            Lanes.StoreTail(Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-v)), x + i, rest);
        }
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
