namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>
/// Bounds what the patterns of one file may take together, time and memory: a short pattern can stand for a large table. Those of published
/// tokenizers take a hundred thousand steps.
/// </summary>
internal sealed class PatternWork
{
    private const long MaxSteps = 4_000_000;
    private long _steps;

    /// <summary>Counts steps of making tables.</summary>
    /// <exception cref="FormatException">They are too many.</exception>
    public void Spend(long steps)
    {
        if ((_steps += steps) > MaxSteps) throw new FormatException($"takes, with those before it, more than {MaxSteps} steps to build");
    }
}
