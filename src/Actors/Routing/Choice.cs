using System.Collections.Immutable;
using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>How a strategy looked for a step.</summary>
/// <param name="Strategy">Which.</param>
/// <param name="PredictedUs">Microseconds of dispatch and combine, corrected; of the illegal ones too.</param>
/// <param name="Illegal">Why it could not be used; null where it could.</param>
public readonly record struct Outlook(Strategy Strategy, double PredictedUs, string? Illegal);

/// <summary>A choice and everything needed to explain it.</summary>
/// <param name="Use">The strategy to use.</param>
/// <param name="Reason">Why, in a sentence for people.</param>
/// <param name="Outlooks">Every strategy, in the order of their numbers.</param>
public sealed record Choice(Strategy Use, string Reason, ImmutableArray<Outlook> Outlooks)
{
    /// <summary>The name of the strategy to use.</summary>
    public string Strategy => StrategyTable.Name(Use);

    /// <summary>Which steps it can be compared with.</summary>
    public ShapeBucket Bucket { get; init; }

    /// <summary>Microseconds that the cost model alone predicted for the strategy to use.</summary>
    public double ModelUs { get; init; }

    /// <summary>Whether the step tries this strategy to learn, and another one was picked.</summary>
    public bool Explored { get; init; }

    /// <summary>What the user must be told, in a sentence: set in the first choice that could not do what was asked, then never again.
    /// </summary>
    public string? Warning { get; init; }

    /// <summary>Microseconds predicted for the strategy to use.</summary>
    public double ChosenUs => Of(Use).PredictedUs;

    /// <summary>Microseconds predicted for every legal strategy.</summary>
    public ImmutableSortedDictionary<string, double> PredictedUs => Outlooks.Where(o => o.Illegal is null)
        .ToImmutableSortedDictionary(o => StrategyTable.Name(o.Strategy), o => o.PredictedUs, StringComparer.Ordinal);

    /// <summary>Why each other strategy is not legal.</summary>
    public ImmutableSortedDictionary<string, string> Illegal => Outlooks.Where(o => o.Illegal is not null)
        .ToImmutableSortedDictionary(o => StrategyTable.Name(o.Strategy), o => o.Illegal!, StringComparer.Ordinal);

    /// <summary>How a strategy looked.</summary>
    public Outlook Of(Strategy strategy) => Outlooks[(int)strategy - 1];
}
