namespace Troupe.Model.Sampling;

/// <summary>
/// Finds where a ranking by value is cut, without sorting: three passes over the bits of the values, 11, 11 and 10 of them at a time, each
/// with a histogram of weights. Linear in V, whatever the values.
/// </summary>
internal static class WeightedCut
{
    private const int Buckets = 1 << 11;

    /// <summary>
    /// The lowest value kept: one is kept while the weights of all strictly greater ones sum to less than the limit, so that values
    /// equal to the last are kept with it. Values: [V], finite; weights: [V], not negative, or empty for 1 each; the limit is above 0.
    /// </summary>
    public static float Lowest(ReadOnlySpan<float> values, ReadOnlySpan<float> weights, double limit)
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
                uint key = Key(values[i]);
                if ((key & mask) == prefix) histogram[(int)((key >> shift) & bits)] += weights.IsEmpty ? 1 : weights[i];
            }
            int bucket = (int)bits;
            while (bucket >= 0 && before + histogram[bucket] < limit) before += histogram[bucket--];
            if (bucket < 0) return float.NegativeInfinity;
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
