namespace Troupe.Model.Sampling;

/// <summary>
/// Finds where a ranking of tokens is cut, without sorting them. Values equal to the last kept are kept with it. V: vocabulary.
/// </summary>
internal static class RankingCut
{
    /// <summary>Up to here the largest are kept in a list; beyond it the list would cost more than three passes.</summary>
    internal const int ShortList = 256;
    private const int Buckets = 1 << 11;

    /// <summary>The k-th largest value. Values: [V], finite; k in [1, V].</summary>
    public static float TopK(ReadOnlySpan<float> values, int k)
    {
        if (k > ShortList) return Lowest(values, weights: [], k, ignoreBelow: float.NegativeInfinity);
        Span<float> largest = stackalloc float[ShortList];
        int count = 0;
        float least = float.NegativeInfinity;
        foreach (float value in values)
        {
            if (count == k && value <= least) continue;
            int at = count < k ? count++ : k - 1;
            for (; at > 0 && largest[at - 1] < value; at--) largest[at] = largest[at - 1];
            largest[at] = value;
            least = largest[count - 1];
        }
        return least;
    }

    /// <summary>
    /// The lowest weight kept when the largest are kept until they sum to a share of all. Weights: [V], not negative, and their sum, above
    /// 0; the share is in (0, 1).
    /// </summary>
    public static float TopShare(ReadOnlySpan<float> weights, double sum, double share)
    {
        // All weights below this together weigh less than the rest that is dropped, so none of them is kept.
        float ignoreBelow = (float)(sum * (1 - share) / weights.Length);
        return Lowest(weights, weights, sum * share, ignoreBelow);
    }

    /// <summary>
    /// The lowest value of those for which the weights of all strictly greater values sum to less than the limit. Three passes over the
    /// bits of the values, 11, 11 and 10 of them at a time, each with a histogram of weights: linear in V, whatever the values.
    /// No weights: 1 each.
    /// </summary>
    internal static float Lowest(ReadOnlySpan<float> values, ReadOnlySpan<float> weights, double limit, float ignoreBelow)
    {
        Span<double> histogram = stackalloc double[Buckets];
        uint prefix = 0, mask = 0;
        double before = 0;
        foreach (int shift in (ReadOnlySpan<int>)[21, 10, 0])
        {
            uint bits = shift == 0 ? 0x3FFu : 0x7FFu;
            histogram.Clear();
            for (int i = 0; i < values.Length; i++)
            {
                if (values[i] < ignoreBelow) continue;
                uint key = Key(values[i]);
                if ((key & mask) == prefix) histogram[(int)((key >> shift) & bits)] += weights.IsEmpty ? 1 : weights[i];
            }
            int bucket = (int)bits;
            while (bucket >= 0 && before + histogram[bucket] < limit) before += histogram[bucket--];
            if (bucket < 0) return ignoreBelow;
            prefix |= (uint)bucket << shift;
            mask |= bits << shift;
        }
        return Value(prefix);
    }

    // Bits of a float in an order that unsigned numbers have too. The two zeros are one value.
    private static uint Key(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x8000_0000u) != 0 ? ~bits : bits | 0x8000_0000u;
    }

    private static float Value(uint key) =>
        BitConverter.UInt32BitsToSingle((key & 0x8000_0000u) != 0 ? key & 0x7FFF_FFFFu : ~key);
}
