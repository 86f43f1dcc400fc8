using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Troupe.Model.Sampling;

/// <summary>The exponentials of a softmax, eight at a time; the last few of a row go through the same code as the others.</summary>
internal static class Exponentials
{
    /// <summary>
    /// values[i] = exp((values[i] - max) / temperature) where values[i] is at least the lowest, else 0. Returns their sum. Values: [V].
    /// </summary>
    public static double Weigh(Span<float> values, float max, float temperature, float lowest)
    {
        Vector256<double> sum = default;
        int whole = values.Length & -Vector256<float>.Count, rest = values.Length - whole;
        ref float first = ref MemoryMarshal.GetReference(values);
        for (int i = 0; i < whole; i += Vector256<float>.Count)
        {
            Vector256<float> weights = Weigh(Vector256.LoadUnsafe(ref first, (nuint)i), max, temperature, lowest);
            weights.StoreUnsafe(ref first, (nuint)i);
            sum += Vector256.WidenLower(weights) + Vector256.WidenUpper(weights);
        }
        if (rest > 0)
        {
            Span<float> padded = stackalloc float[Vector256<float>.Count];
            padded.Fill(float.NegativeInfinity);
            values[whole..].CopyTo(padded);
            Vector256<float> weights = Weigh(Vector256.Create<float>(padded), max, temperature, MathF.Max(lowest, float.MinValue));
            weights.CopyTo(padded);
            padded[..rest].CopyTo(values[whole..]);
            sum += Vector256.WidenLower(weights) + Vector256.WidenUpper(weights);
        }
        return Vector256.Sum(sum);
    }

    private static Vector256<float> Weigh(Vector256<float> values, float max, float temperature, float lowest)
    {
        Vector256<float> weights = Vector256.Exp((values - Vector256.Create(max)) / temperature);
        return weights & Vector256.GreaterThanOrEqual(values, Vector256.Create(lowest));
    }
}
