namespace Troupe.Model.Sampling;

/// <summary>Log-probabilities of tokens under the model's own distribution, in nats. Sums in double. V: vocabulary.</summary>
public static class Scoring
{
    /// <summary>The log of the softmax at one id. Logits: [V], finite.</summary>
    public static double LogProbability(ReadOnlySpan<float> logits, int id)
    {
        if ((uint)id >= (uint)logits.Length)
            throw new ArgumentOutOfRangeException(nameof(id), $"id must be in [0, {logits.Length}), got {id}");
        return logits[id] - LogSum(logits);
    }

    /// <summary>
    /// The likeliest tokens in descending order, the lower id first of two that are equal. Logits: [V], finite; ids and log-probabilities:
    /// [k] each, k at most V. Meant for small k: the time is V plus k for each token that enters the list.
    /// </summary>
    public static void Top(ReadOnlySpan<float> logits, Span<int> ids, Span<double> logProbabilities)
    {
        if (ids.Length != logProbabilities.Length || ids.Length > logits.Length)
            throw new ArgumentException(
                $"ids and scores must have one length of at most {logits.Length}, got {ids.Length} and {logProbabilities.Length}");
        if (ids.IsEmpty) return;
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (count == ids.Length && !(logits[id] > logits[ids[count - 1]])) continue;
            int at = count < ids.Length ? count++ : count - 1;
            for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--) ids[at] = ids[at - 1];
            ids[at] = id;
        }
        double sum = LogSum(logits);
        for (int i = 0; i < count; i++) logProbabilities[i] = logits[ids[i]] - sum;
    }

    /// <summary>log(sum(exp(logits))), with the maximum taken out so that nothing overflows.</summary>
    private static double LogSum(ReadOnlySpan<float> logits)
    {
        double max = logits[Sampler.ArgMax(logits)], sum = 0;
        foreach (float logit in logits) sum += Math.Exp(logit - max);
        return max + Math.Log(sum);
    }
}
