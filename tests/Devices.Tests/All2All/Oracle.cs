using Troupe.Devices.All2All;

namespace Troupe.Devices.Tests.All2All;

/// <summary>What one rank brings to a dispatch: T rows, their experts and weights.</summary>
internal sealed record Input(int Tokens, float[] Hidden, int[] Experts, float[] Weights);

/// <summary>
/// Dispatch, experts and combine of a whole group done in one place, with plain loops: what every strategy must reproduce bit for bit.
/// </summary>
internal static class Oracle
{
    /// <summary>The output of every rank, [T, H] each.</summary>
    public static float[][] Outputs(IReadOnlyList<Input> inputs, ExpertPlacement placement, int hidden, int topK, RowType rows)
    {
        bool rounds = rows == RowType.Bf16 && inputs.Count > 1;
        return [.. inputs.Select(input =>
        {
            float[] output = new float[input.Tokens * hidden];
            for (int token = 0; token < input.Tokens; token++)
            {
                float[] row = input.Hidden[(token * hidden)..((token + 1) * hidden)];
                if (rounds) row = [.. row.Select(ToBf16)];
                for (int rank = 0; rank < inputs.Count; rank++)
                {
                    float[] partial = Partial(row, input.Experts.AsSpan(token * topK, topK),
                        input.Weights.AsSpan(token * topK, topK), placement, rank);
                    for (int h = 0; h < hidden; h++) output[token * hidden + h] += rounds ? ToBf16(partial[h]) : partial[h];
                }
            }
            return output;
        })];
    }

    /// <summary>The weighted sum over the experts of a row that live on a rank, in ascending order of experts.</summary>
    public static float[] Partial(
        ReadOnlySpan<float> row, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, ExpertPlacement placement, int rank)
    {
        float[] sum = new float[row.Length];
        for (int e = 0; e < placement.Experts; e++)
        {
            int slot = experts.IndexOf(e);
            if (slot < 0 || placement.Owner(new(e)) != rank) continue;
            for (int h = 0; h < row.Length; h++) sum[h] += weights[slot] * Expert(e, row[h], h);
        }
        return sum;
    }

    /// <summary>bf16 by definition: the nearer of the two neighbours, the even one at a tie.</summary>
    public static float ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        float low = BitConverter.UInt32BitsToSingle(bits & 0xFFFF_0000);
        float high = BitConverter.UInt32BitsToSingle((bits & 0xFFFF_0000) + 0x1_0000);
        double toLow = Math.Abs((double)value - low), toHigh = Math.Abs((double)high - value);
        if (toLow == toHigh) return (bits & 0x1_0000) == 0 ? low : high;
        return toLow < toHigh ? low : high;
    }

    private static float Expert(int expert, float value, int h) => value * (1f + 0.37f * expert) - 0.01f * h * expert;
}
