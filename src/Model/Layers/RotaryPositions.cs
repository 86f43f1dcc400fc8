using Troupe.Model.Checkpoints;

namespace Troupe.Model.Layers;

/// <summary>
/// Cosines and sines of rotary positions, in the fp32 steps of the reference implementation: at long contexts the rounding of the angle is
/// visible in the logits. (Su et al. 2021)
/// </summary>
internal sealed class RotaryPositions(RopeTable table)
{
    private readonly float[] _frequencies = [.. table.Frequencies]; // [width / 2]

    /// <summary>positions: [T]; cos, sin: [T, width / 2].</summary>
    public void Fill(ReadOnlySpan<int> positions, Span<float> cos, Span<float> sin)
    {
        float magnitude = table.Magnitude;
        for (int t = 0, at = 0; t < positions.Length; t++)
            foreach (float frequency in _frequencies)
            {
                (float s, float c) = MathF.SinCos(positions[t] * frequency);
                (sin[at], cos[at]) = (s * magnitude, c * magnitude);
                at++;
            }
    }
}
