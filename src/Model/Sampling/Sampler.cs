using System.Numerics;

namespace Troupe.Model.Sampling;

/// <summary>
/// Draws a token from logits: repetition penalty, temperature, top-k, top-p, min-p and softmax, in this order, each over what the one
/// before it has left, as transformers' generate does. Allocates nothing; works in the logits it is given. V: vocabulary.
/// </summary>
public static class Sampler
{
    /// <summary>
    /// The token at a position. It depends on the logits, the parameters, the seed and the position only.
    /// </summary>
    /// <param name="logits">[V], all finite (see <see cref="FirstNonFinite"/>); used as scratch.</param>
    /// <param name="parameters">Checked parameters.</param>
    /// <param name="seed">The request's seed.</param>
    /// <param name="position">The position of the token to draw in its sequence, prompt included.</param>
    /// <param name="seen">Ids that the repetition penalty is for, in any order, repeats allowed; unused where it is 1.</param>
    /// <param name="scratch">At least as long as seen; unused where the penalty is 1.</param>
    public static int Sample(
        Span<float> logits, SamplingParameters parameters, ulong seed, int position,
        ReadOnlySpan<int> seen = default, Span<float> scratch = default)
    {
        Penalize(logits, seen, parameters.RepetitionPenalty, scratch);
        if (parameters.IsGreedy) return ArgMax(logits);
        double target = CounterRandom.Uniform(seed, position) * Weigh(logits, parameters);
        double sum = 0;
        int last = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (logits[id] == 0) continue;
            sum += logits[id];
            last = id;
            if (sum > target) break;
        }
        return last;
    }

    /// <summary>Turns logits, in place, into the probabilities that <see cref="Sample"/> draws by; dropped tokens get 0.</summary>
    /// <inheritdoc cref="Sample"/>
    public static void Probabilities(
        Span<float> logits, SamplingParameters parameters, ReadOnlySpan<int> seen = default, Span<float> scratch = default)
    {
        Penalize(logits, seen, parameters.RepetitionPenalty, scratch);
        if (parameters.IsGreedy)
        {
            int best = ArgMax(logits);
            logits.Clear();
            logits[best] = 1;
            return;
        }
        double sum = Weigh(logits, parameters);
        for (int i = 0; i < logits.Length; i++) logits[i] = (float)(logits[i] / sum);
    }

    /// <summary>The id of the largest logit, the lowest id of several. Logits: [V], V at least 1.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        float best = Max(logits);
        int id = 0;
        var wanted = new Vector<float>(best);
        while (id <= logits.Length - Vector<float>.Count && !Vector.EqualsAny(new Vector<float>(logits[id..]), wanted))
            id += Vector<float>.Count;
        for (; id < logits.Length; id++)
            if (logits[id] == best) return id;
        throw new ArgumentException(logits.IsEmpty
            ? "no logits to choose from: the vocabulary is empty"
            : "logits hold NaN; check Sampler.FirstNonFinite first", nameof(logits));
    }

    /// <summary>The first index whose value is NaN or infinite, or -1: such logits come from broken weights or a broken kernel.</summary>
    public static int FirstNonFinite(ReadOnlySpan<float> values)
    {
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var block = new Vector<float>(values[i..]);
            // x - x is 0 for finite x and NaN for all others.
            if (!Vector.EqualsAll(block - block, Vector<float>.Zero)) break;
        }
        for (; i < values.Length; i++)
            if (!float.IsFinite(values[i])) return i;
        return -1;
    }

    private static void Penalize(Span<float> logits, ReadOnlySpan<int> seen, float penalty, Span<float> scratch)
    {
        if (penalty == 1 || seen.IsEmpty) return;
        if (scratch.Length < seen.Length)
            throw new ArgumentException($"scratch must hold at least the {seen.Length} seen ids, got {scratch.Length}", nameof(scratch));
        // All are computed before any is written: an id that was seen twice is penalized once.
        for (int i = 0; i < seen.Length; i++)
        {
            float logit = logits[seen[i]];
            scratch[i] = logit < 0 ? logit * penalty : logit / penalty;
        }
        for (int i = 0; i < seen.Length; i++) logits[seen[i]] = scratch[i];
    }

    /// <summary>Logits become weights: exp((logit - max) / temperature), 0 where dropped. Returns their sum.</summary>
    private static double Weigh(Span<float> logits, SamplingParameters parameters)
    {
        // Dividing by a temperature keeps the order, so top-k may be cut before it.
        float lowest = parameters.TopK > 0 && parameters.TopK < logits.Length
            ? RankingCut.TopK(logits, parameters.TopK)
            : float.NegativeInfinity;
        double sum = Exponentials.Weigh(logits, Max(logits), parameters.Temperature, lowest);
        if (parameters.TopP < 1) sum = Keep(logits, RankingCut.TopShare(logits, sum, parameters.TopP));
        // The most likely token has weight 1, so its share is the weight itself.
        return parameters.MinP > 0 ? Keep(logits, parameters.MinP) : sum;
    }

    private static double Keep(Span<float> weights, float lowest)
    {
        double sum = 0;
        foreach (ref float weight in weights)
        {
            if (weight < lowest) weight = 0;
            sum += weight;
        }
        return sum;
    }

    private static float Max(ReadOnlySpan<float> values)
    {
        float max = float.NegativeInfinity;
        int i = 0;
        if (values.Length >= Vector<float>.Count)
        {
            var best = new Vector<float>(values);
            for (i = Vector<float>.Count; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
                best = Vector.Max(best, new Vector<float>(values[i..]));
            for (int lane = 0; lane < Vector<float>.Count; lane++) max = MathF.Max(max, best[lane]);
        }
        for (; i < values.Length; i++) max = MathF.Max(max, values[i]);
        return max;
    }
}
