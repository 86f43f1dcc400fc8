namespace Troupe.Model.Layers;

/// <summary>
/// Angles of rotary positions, position x theta^(-2i/D), in the fp32 steps of the reference implementation: at long contexts the rounding
/// of the angle is visible in the logits. (Su et al. 2021)
/// </summary>
internal sealed class RotaryPositions
{
    private readonly float[] _frequencies; // [D / 2]

    public RotaryPositions(int headSize, double theta)
    {
        _frequencies = new float[headSize / 2];
        for (int i = 0; i < _frequencies.Length; i++) _frequencies[i] = 1f / MathF.Pow((float)theta, 2f * i / headSize);
    }

    /// <summary>positions: [T]; cos, sin: [T, D / 2].</summary>
    public void Fill(ReadOnlySpan<int> positions, Span<float> cos, Span<float> sin)
    {
        for (int t = 0, at = 0; t < positions.Length; t++)
            foreach (float frequency in _frequencies)
            {
                (sin[at], cos[at]) = MathF.SinCos(positions[t] * frequency);
                at++;
            }
    }
}
