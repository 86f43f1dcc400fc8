namespace Troupe.Model.Checkpoints;

/// <summary>
/// How positions turn queries and keys: pair i of a head turns by position x frequency i. (Su et al. 2021; scaled ones as in transformers'
/// modeling_rope_utils)
/// </summary>
public sealed record RopeTable
{
    /// <summary>Values of a head that turn; even.</summary>
    public required int Width { get; init; }

    /// <summary>Base of the frequencies before they are scaled.</summary>
    public required double Theta { get; init; }

    /// <summary>[Width / 2] radians per position.</summary>
    public required IReadOnlyList<float> Frequencies { get; init; }

    /// <summary>What cosines and sines are multiplied with.</summary>
    public required float Magnitude { get; init; }

    /// <summary>What scores are multiplied with in families that take the correction of yarn there as well (DeepSeek); else 1.</summary>
    public required double ScoreScale { get; init; }

    /// <summary>Whether neighbours are pairs, and not a value of each half.</summary>
    public bool Neighbours { get; init; }
}
