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
    public static float[][] Outputs(IReadOnlyList<Input> inputs, ExpertPlacement placement, Hosts hosts, All2AllShape shape) =>
        [.. inputs.Select((input, source) => Output(input, source, inputs.Count, placement, hosts, shape))];

    /// <summary>The weighted sum over the experts of a row that a rank serves, in ascending order of experts.</summary>
    public static float[] Partial(
        ReadOnlySpan<float> row, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, Func<int, bool> serves, int count)
    {
        float[] sum = new float[row.Length];
        for (int e = 0; e < count; e++)
        {
            int slot = experts.IndexOf(e);
            if (slot < 0 || !serves(e)) continue;
            for (int h = 0; h < row.Length; h++) sum[h] += weights[slot] * Expert(e, row[h], h);
        }
        return sum;
    }

    /// <summary>Runs a rank's experts over all rows that a dispatch brings, one tile a row.</summary>
    public static void Serve(DispatchHandle handle, Case example, ExpertPlacement placement, int rank)
    {
        float[] row = new float[example.Hidden], shares = new float[example.TopK];
        int[] ids = new int[example.TopK];
        for (int i = 0; i < handle.Rows; i++)
        {
            handle.Await(i);
            handle.Decode(i, i + 1, row);
            handle.CopySlots(i, i + 1, ids, shares);
            handle.Encode(i, i + 1, Partial(row, ids, shares, e => placement.Of(rank).Contains(new(e)), example.Experts));
            handle.Done(i + 1);
        }
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

    /// <summary>The finite values of e4m3 from 0 up, by definition: 3 bits of mantissa, bias 7, subnormals below 2^-6.</summary>
    public static double[] Fp8Values { get; } = [.. Enumerable.Range(0, 0x7F).Select(b => (b >> 3) == 0
        ? (b & 7) * Math.Pow(2, -9)
        : (1 + (b & 7) / 8.0) * Math.Pow(2, (b >> 3) - 7))];

    /// <summary>A row as it is after its journey.</summary>
    public static float[] Travelled(float[] row, RowType type) => type switch
    {
        RowType.Fp32 => row,
        RowType.Bf16 => [.. row.Select(ToBf16)],
        _ => [.. row.Chunk(RowTypes.ScaleGroup).SelectMany(group => Quantized(group, type))],
    };

    private static float[] Output(Input input, int source, int ranks, ExpertPlacement placement, Hosts hosts, All2AllShape shape)
    {
        (int hidden, int topK) = (shape.Hidden, shape.TopK);
        bool rounds = ranks > 1 && shape.Rows != RowType.Fp32;
        Func<float, float> partialRound = rounds ? ToBf16 : value => value;
        float[] output = new float[input.Tokens * hidden];
        for (int token = 0; token < input.Tokens; token++)
        {
            float[] row = input.Hidden[(token * hidden)..((token + 1) * hidden)];
            if (rounds) row = Travelled(row, shape.Rows);
            for (int first = 0; first < ranks; first = hosts.EndOf(first))
            {
                float[] host = new float[hidden];
                for (int rank = first; rank < hosts.EndOf(first); rank++)
                {
                    float[] partial = Partial(row, input.Experts.AsSpan(token * topK, topK), input.Weights.AsSpan(token * topK, topK),
                        e => placement.Owner(new(e), source) == rank, placement.Experts);
                    for (int h = 0; h < hidden; h++) host[h] += partialRound(partial[h]);
                }
                for (int h = 0; h < hidden; h++) output[token * hidden + h] += hosts.Count > 1 ? partialRound(host[h]) : host[h];
            }
        }
        return output;
    }

    private static IEnumerable<float> Quantized(float[] group, RowType type)
    {
        float scale = group.Max(MathF.Abs) / (type == RowType.Int8 ? 127f : 448f), inverse = scale > 0 ? 1 / scale : 0;
        if (float.IsInfinity(inverse)) inverse = 0;
        return group.Select(value => type == RowType.Int8 ? MathF.Round(value * inverse, MidpointRounding.ToEven) * scale
            : NearestFp8(value * inverse) * scale);
    }

    private static float NearestFp8(float value)
    {
        double magnitude = Math.Min(448, Math.Abs((double)value));
        int best = 0;
        for (int b = 1; b < Fp8Values.Length; b++)
        {
            double better = Math.Abs(Fp8Values[b] - magnitude) - Math.Abs(Fp8Values[best] - magnitude);
            if (better < 0 || (better == 0 && b % 2 == 0)) best = b;
        }
        return (float)(value < 0 || float.IsNegative(value) ? -Fp8Values[best] : Fp8Values[best]);
    }

    private static float Expert(int expert, float value, int h) => value * (1f + 0.37f * expert) - 0.01f * h * expert;
}
